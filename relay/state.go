package relay

import "slices"

// deliveryMoves is the transition table of deliveries; doc.go draws it. Back
// to pending leads only a retry in place, which a person or key asks for.
var deliveryMoves = map[DeliveryStatus][]DeliveryStatus{
	DeliveryPending:   {DeliveryDelivered, DeliveryRetrying, DeliveryDLQ, DeliveryDiscarded, DeliveryPending},
	DeliveryRetrying:  {DeliveryDelivered, DeliveryRetrying, DeliveryDLQ, DeliveryDiscarded, DeliveryPending},
	DeliveryDelivered: {DeliveryPending},
	DeliveryDLQ:       {DeliveryPending},
	DeliveryDiscarded: {DeliveryPending},
}

// CanBecome reports whether a delivery may go from s to next.
func (s DeliveryStatus) CanBecome(next DeliveryStatus) bool {
	return slices.Contains(deliveryMoves[s], next)
}

// Known reports whether s is a status of deliveries.
func (s DeliveryStatus) Known() bool {
	_, ok := deliveryMoves[s]
	return ok
}

// Known reports whether s is a status of events.
func (s EventStatus) Known() bool {
	switch s {
	case EventReceived, EventForwarding, EventDelivered, EventFailed, EventUnmatched, EventRejected, EventDuplicate:
		return true
	}
	return false
}

// EventStatusOf sums up the deliveries of an event that was neither rejected
// nor a duplicate. One that was replayed does not count any more, unless its
// replay was undone with its job. An event whose deliveries were all discarded
// is merely received.
func EventStatusOf(deliveries []Delivery) EventStatus {
	if len(deliveries) == 0 {
		return EventUnmatched
	}
	status := EventReceived
	for i := range deliveries {
		d := &deliveries[i]
		switch {
		case !d.ReplayedBy.IsZero():
		case !d.Status.Final():
			return EventForwarding
		case d.Status == DeliveryDLQ:
			status = EventFailed
		case d.Status == DeliveryDelivered && status == EventReceived:
			status = EventDelivered
		}
	}
	return status
}
