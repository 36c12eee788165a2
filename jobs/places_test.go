package jobs

import (
	"context"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// seats are places with endpoints that a test makes up.
type seats struct {
	*places
	t *testing.T
}

func (s seats) endpoint(project byte) *relay.Endpoint {
	return &relay.Endpoint{ID: relay.NewID(), ProjectID: relay.ID{project}}
}

// proven is an endpoint that has answered within so long.
func (s seats) proven(project byte, took time.Duration) *relay.Endpoint {
	ep := s.endpoint(project)
	for range 40 {
		turn := s.enters(ep)
		turn.begun[turn] = time.Now().Add(-took)
		s.leave(turn, relay.OutcomeSuccess)
	}
	return ep
}

func (s seats) enters(ep *relay.Endpoint) *turn {
	s.t.Helper()
	turn, waited, err := s.enter(s.t.Context(), ep, false)
	if err != nil || waited {
		s.t.Fatalf("waited %v, %v", waited, err)
	}
	return turn
}

// fill lets as many begin as may.
func (s seats) fill(ep *relay.Endpoint, replay bool) (turns []*turn) {
	for {
		ctx, cancel := context.WithCancel(s.t.Context())
		cancel()
		turn, waited, _ := s.enter(ctx, ep, replay)
		if waited {
			return turns
		}
		turns = append(turns, turn)
	}
}

func TestSlowEndpointsHaveHalfOfTheSenders(t *testing.T) {
	t.Parallel()
	s := seats{newPlaces(64), t}
	a, b, c := s.proven(1, time.Second), s.proven(2, time.Second), s.proven(3, time.Second)
	fast := s.proven(4, time.Millisecond)
	if n := len(s.fill(a, false)) + len(s.fill(b, false)) + len(s.fill(c, false)); n != 32 {
		t.Errorf("slow endpoints hold %d senders, want 32", n)
	}
	if n := len(s.fill(fast, false)); n != 32 {
		t.Errorf("%d are left for a quick one, want 32", n)
	}
}

// TestAnEndpointIsSlowAsSoonAsItIs does not wait for an answer to know that it is
// late.
func TestAnEndpointIsSlowAsSoonAsItIs(t *testing.T) {
	t.Parallel()
	s := seats{newPlaces(64), t}
	fast := s.proven(1, time.Millisecond)
	turns := s.fill(fast, false)
	if s.of(fast).class != classQuick {
		t.Fatal("it is not quick")
	}
	turns[0].begun[turns[0]] = time.Now().Add(-time.Second)
	s.look()
	if s.of(fast).class != classSlow || s.sending.slow != len(turns) {
		t.Errorf("it is not slow: %+v", s.sending)
	}
	for _, turn := range turns {
		s.leave(turn, relay.OutcomeSuccess)
	}
	if s.sending != (use{}) {
		t.Errorf("in use in the end: %+v", s.sending)
	}
}

// TestTheFirstRequestTellsWhatAnEndpointIs has more endpoints that nobody knows than
// there are senders, then finds them all to be slow.
func TestTheFirstRequestTellsWhatAnEndpointIs(t *testing.T) {
	t.Parallel()
	s := seats{newPlaces(64), t}
	fast := s.proven(1, time.Millisecond)
	var turns []*turn
	for range 70 {
		ep := s.endpoint(1)
		got := s.fill(ep, false)
		if len(got) > 1 {
			t.Fatalf("one that has not answered makes %d requests", len(got))
		}
		turns = append(turns, got...)
	}
	if len(turns) != 56 || len(s.fill(fast, false)) != 8 {
		t.Fatalf("they hold %d senders, want 56, and one that is quick the rest: %+v", len(turns), s.sending)
	}
	for _, turn := range turns {
		turn.begun[turn] = time.Now().Add(-time.Second)
	}
	s.look()
	for _, turn := range turns[:25] {
		s.leave(turn, relay.OutcomeTimeout)
	}
	if n := len(s.fill(s.proven(1, time.Second), false)); n != 1 {
		t.Errorf("beside 31 requests to slow ones %d begin, want 1", n)
	}
}

// TestALateFirstAnswerIsNotQuick has an endpoint be slow before it answers.
func TestALateFirstAnswerIsNotQuick(t *testing.T) {
	t.Parallel()
	s := seats{newPlaces(64), t}
	ep := s.endpoint(1)
	turn := s.enters(ep)
	turn.begun[turn] = time.Now().Add(-time.Second)
	s.look()
	s.leave(turn, relay.OutcomeSuccess)
	if s.of(ep).class != classSlow {
		t.Error("it counts as quick after an answer that took a second")
	}
}

// TestSlowOnesThatWaitHoldNoProjectBack has one project's slow endpoints wait for
// others of their kind, not for the senders that are free.
func TestSlowOnesThatWaitHoldNoProjectBack(t *testing.T) {
	t.Parallel()
	s := seats{newPlaces(64), t}
	slow, fast, other := s.proven(1, time.Second), s.proven(1, time.Millisecond), s.proven(2, time.Second)
	if n := len(s.fill(slow, false)); n != 32 {
		t.Fatalf("a slow one holds %d", n)
	}
	go func() { _, _, _ = s.enter(t.Context(), other, false) }()
	within(t, time.Minute, "another project's waits", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.of(other).liveWait) == 1
	})
	if n := len(s.fill(fast, false)); n != 32 {
		t.Errorf("%d of the 32 senders that are free were had", n)
	}
}

func TestReplaysHaveHalfOfTheSenders(t *testing.T) {
	t.Parallel()
	s := seats{newPlaces(64), t}
	a, b := s.proven(1, time.Millisecond), s.proven(2, time.Millisecond)
	if n := len(s.fill(a, true)) + len(s.fill(b, true)); n != 32 {
		t.Errorf("replays hold %d senders, want 32", n)
	}
	if n := len(s.fill(s.proven(3, time.Millisecond), false)); n != 32 {
		t.Errorf("%d are left for live deliveries, want 32", n)
	}
}

func TestAProjectHasHalfWhileOthersWait(t *testing.T) {
	t.Parallel()
	s := seats{newPlaces(64), t}
	a, b := s.proven(1, time.Millisecond), s.proven(1, time.Millisecond)
	other := s.proven(2, time.Millisecond)
	turns := append(s.fill(a, false), s.fill(b, false)...)
	if len(turns) != 64 {
		t.Fatalf("a project that is alone has %d senders", len(turns))
	}
	begun := make(chan *turn, 64)
	wait := func(ep *relay.Endpoint, name string) {
		for range 40 {
			go func() {
				turn, _, err := s.enter(t.Context(), ep, false)
				if err == nil {
					begun <- turn
				}
			}()
		}
		within(t, time.Minute, name+" wait", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.of(ep).liveWait) == 40
		})
	}
	wait(a, "its own")
	wait(other, "others")
	for _, turn := range turns[:40] {
		s.leave(turn, relay.OutcomeSuccess)
	}
	got := map[byte]int{}
	for range 40 {
		got[(<-begun).project[0]]++
	}
	if got[2] != 32 || got[1] != 8 {
		t.Errorf("after 40 ended, %d of the project and %d of the other began, want 8 and 32", got[1], got[2])
	}
}

func TestWhoGivesUpTakesNoPlace(t *testing.T) {
	t.Parallel()
	s := seats{newPlaces(4), t}
	ep := s.endpoint(1)
	turns := s.fill(ep, false)
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error)
	go func() {
		_, _, err := s.enter(ctx, ep, false)
		given <- err
	}()
	within(t, time.Minute, "it waits", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.of(ep).liveWait) == 1 })
	cancel()
	if err := <-given; err == nil {
		t.Fatal("it began")
	}
	for _, turn := range turns {
		s.leave(turn, "")
	}
	if s.sending != (use{}) || s.of(ep).first() != nil || len(s.shares) > 0 {
		t.Errorf("in use %+v, waits %v, shares %v", s.sending, s.of(ep).first(), s.shares)
	}
}

func TestMoreIsAskedForUntilNothingIsDue(t *testing.T) {
	t.Parallel()
	s := seats{newPlaces(64), t}
	ep := s.endpoint(1)
	n := s.reserve(ep, false, 1000)
	if n == 0 || s.reserve(ep, false, 1) != 0 {
		t.Fatalf("%d reserved", n)
	}
	if !s.giveBack(ep.ID, false, n) {
		t.Error("there was more than room for, and nothing more is asked for")
	}
	s.due(ep.ID, false)
	s.reserve(ep, false, 1)
	if s.giveBack(ep.ID, false, 1) {
		t.Error("more is asked for although nothing is due")
	}
}
