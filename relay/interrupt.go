package relay

import (
	"fmt"
	"time"
)

// An interruption is the end of a process, or of its hold on a delivery, before
// an outcome was recorded. It is no attempt and costs no retry: the delivery is
// due again, for as often as it takes.
//
// A request may be what kills the process. A delivery that was in the hands of
// several is suspect, and from then on tried alone among the suspects, which is
// noted before its request begins. Only one that was tried alone at several
// deaths is given up.
const (
	// SuspectAfter is how many interruptions make a delivery suspect.
	SuspectAfter = 2
	// maxDeathsAlone is how many deaths of its process a delivery that is tried
	// alone may see.
	maxDeathsAlone = 3
	// aloneDelay puts off what died alone, once for each death: others are more
	// likely to be innocent.
	aloneDelay = time.Second
)

// Interruption is what an interruption makes of a delivery.
type Interruption struct {
	Status DeliveryStatus
	Wait   time.Duration // until it is due again
	Err    string        // a sentence for people
}

// Interrupt says how a delivery goes on that was interrupted after so many
// attempts, and was tried alone at so many deaths, this one included.
func Interrupt(attempts, diedAlone int) Interruption {
	if diedAlone >= maxDeathsAlone {
		return Interruption{Status: DeliveryDLQ, Err: fmt.Sprintf(
			"Given up: the process died %d times while it tried this delivery alone, so its request is likely to be the cause.", diedAlone)}
	}
	out := Interruption{Status: DeliveryPending, Wait: time.Duration(diedAlone) * aloneDelay,
		Err: "Interrupted: the process stopped before an outcome was recorded. If its request had begun, the receiver may have got it."}
	if attempts > 0 {
		out.Status = DeliveryRetrying
	}
	return out
}
