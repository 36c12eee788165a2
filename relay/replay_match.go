package relay

// ReplayTarget is an endpoint as a replay job froze it: what it took when the
// job was planned.
type ReplayTarget struct {
	EndpointID  ID       `json:"endpoint_id"`
	SourceIDs   []ID     `json:"source_ids,omitempty"`
	EventFilter []string `json:"event_filter,omitempty"` // empty if the job ignores it
}

// TargetOf freezes an endpoint.
func TargetOf(e *Endpoint, ignoreFilter bool) ReplayTarget {
	t := ReplayTarget{EndpointID: e.ID, SourceIDs: e.SourceIDs, EventFilter: e.EventFilter}
	if ignoreFilter {
		t.EventFilter = nil
	}
	return t
}

// Takes reports whether the target gets events of a source and a type.
func (t *ReplayTarget) Takes(source ID, eventType string) bool {
	return (len(t.SourceIDs) == 0 || containsID(t.SourceIDs, source)) && MatchType(t.EventFilter, eventType)
}

// TakesEvent reports whether the selection takes events of a source and a type,
// which never change, whatever its other conditions.
func (s *Selection) TakesEvent(source ID, eventType string) bool {
	return (s.SourceID.IsZero() || s.SourceID == source) && (s.EventType == "" || s.EventType == eventType) && MatchType(s.EventTypes, eventType)
}

// The reasons why an event is never part of a bulk replay.
const (
	NotReplayableRejected  = "rejected"
	NotReplayableDuplicate = "duplicate"
	NotReplayableTest      = "test"
)

// NotReplayable is the reason why an event is never part of a bulk replay, or
// empty.
func (e *Event) NotReplayable() string {
	switch {
	case !e.SignatureValid || e.Status == EventRejected:
		return NotReplayableRejected
	case e.Status == EventDuplicate:
		return NotReplayableDuplicate
	case e.IsTest:
		return NotReplayableTest
	}
	return ""
}
