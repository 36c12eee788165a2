package relay

import "testing"

func TestDeliveryMoves(t *testing.T) {
	t.Parallel()
	all := []DeliveryStatus{DeliveryPending, DeliveryRetrying, DeliveryDelivered, DeliveryDLQ, DeliveryDiscarded}
	for _, from := range all {
		for _, to := range all {
			want := !from.Final() || to == DeliveryPending
			if got := from.CanBecome(to); got != want {
				t.Errorf("%s to %s: %v", from, to, got)
			}
		}
		if !from.Known() {
			t.Errorf("%s is not known", from)
		}
	}
	if DeliveryStatus("failed").Known() {
		t.Error("a filter word passes for a status")
	}
}

func TestReplayMoves(t *testing.T) {
	t.Parallel()
	all := []ReplayStatus{ReplayPlanning, ReplayPlanned, ReplayRunning, ReplayPaused, ReplayCompleted, ReplayFailed, ReplayCancelled}
	allowed := map[[2]ReplayStatus]bool{
		{ReplayPlanning, ReplayPlanned}: true, {ReplayPlanning, ReplayRunning}: true, {ReplayPlanning, ReplayCancelled}: true,
		{ReplayPlanned, ReplayRunning}: true, {ReplayPlanned, ReplayCancelled}: true,
		{ReplayRunning, ReplayPaused}: true, {ReplayRunning, ReplayCompleted}: true,
		{ReplayRunning, ReplayFailed}: true, {ReplayRunning, ReplayCancelled}: true,
		{ReplayPaused, ReplayRunning}: true, {ReplayPaused, ReplayCancelled}: true,
	}
	for _, from := range all {
		for _, to := range all {
			if got := from.CanBecome(to); got != allowed[[2]ReplayStatus{from, to}] {
				t.Errorf("%s to %s: %v", from, to, got)
			}
			if from.Final() && from.CanBecome(to) {
				t.Errorf("%s is final and becomes %s", from, to)
			}
		}
	}
}

func TestEventStatusOf(t *testing.T) {
	t.Parallel()
	first, second := NewID(), NewID()
	to := func(endpoint ID, status DeliveryStatus) Delivery {
		return Delivery{ID: NewID(), EndpointID: endpoint, Status: status}
	}
	newer, again, undone := to(first, DeliveryDelivered), to(first, DeliveryPending), to(first, DeliveryDiscarded)
	older, replayed := to(first, DeliveryDLQ), newer
	older.ReplayedBy, replayed.ReplayedBy = newer.ID, again.ID
	for name, c := range map[string]struct {
		deliveries []Delivery
		want       EventStatus
	}{
		"none":                   {nil, EventUnmatched},
		"pending":                {[]Delivery{to(first, DeliveryPending)}, EventForwarding},
		"retrying beside dlq":    {[]Delivery{to(first, DeliveryDLQ), to(second, DeliveryRetrying)}, EventForwarding},
		"delivered":              {[]Delivery{to(first, DeliveryDelivered), to(second, DeliveryDelivered)}, EventDelivered},
		"one dead letter":        {[]Delivery{to(first, DeliveryDelivered), to(second, DeliveryDLQ)}, EventFailed},
		"delivered or discarded": {[]Delivery{to(first, DeliveryDiscarded), to(second, DeliveryDelivered)}, EventDelivered},
		"all discarded":          {[]Delivery{to(first, DeliveryDiscarded)}, EventReceived},
		"replayed":               {[]Delivery{newer, older}, EventDelivered},
		"being replayed":         {[]Delivery{older, replayed, again}, EventForwarding},
		"replay undone":          {[]Delivery{older, newer, undone}, EventDelivered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := EventStatusOf(c.deliveries); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
