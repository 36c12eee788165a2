package replays

import (
	"slices"

	"github.com/reprise-dev/reprise/relay"
)

// ownEndpoints reports whether each delivery that a job selects goes to its own
// endpoint.
func ownEndpoints(j *relay.ReplayJob) bool { return j.AllMatching && j.Selection.OfDeliveries() }

// freezeTargets are the endpoints that a job may send to.
func (s *Store) freezeTargets(j *relay.ReplayJob, own bool) ([]relay.ReplayTarget, error) {
	config := s.Config()
	var faults []relay.FieldError
	if src := j.Selection.SourceID; !src.IsZero() {
		if found, ok := config.Source(src); !ok || found.ProjectID != j.ProjectID {
			faults = append(faults, relay.FieldError{Field: "source_id", Message: "is not a source of this project"})
		}
	}
	if e := j.Selection.DeliveryEndpointID; !e.IsZero() {
		if found, ok := config.Endpoint(e); !ok || found.ProjectID != j.ProjectID {
			faults = append(faults, relay.FieldError{Field: "delivery_endpoint_id", Message: "is not an endpoint of this project"})
		}
	}
	targets := []relay.ReplayTarget{}
	if len(j.EndpointIDs) == 0 {
		for _, e := range config.EndpointsOf(j.ProjectID) {
			if e.Status != relay.EndpointDisabled && !own {
				targets = append(targets, relay.TargetOf(e, false))
			}
		}
		return targets, relay.Invalid(faults...)
	}
	seen := map[relay.ID]bool{}
	for _, id := range j.EndpointIDs {
		if seen[id] {
			continue
		}
		seen[id] = true
		e, ok := config.Endpoint(id)
		var fault string
		switch src := j.Selection.SourceID; {
		case !ok || e.ProjectID != j.ProjectID:
			fault = "is not an endpoint of this project"
		case e.Status == relay.EndpointDisabled:
			fault = "is disabled"
		case !src.IsZero() && len(e.SourceIDs) > 0 && !slices.Contains(e.SourceIDs, src):
			fault = "does not take events from this source"
		}
		if fault != "" {
			faults = append(faults, relay.FieldError{Field: "endpoint_ids", Message: relay.PrefixEndpoint.Format(id) + " " + fault})
			continue
		}
		targets = append(targets, relay.TargetOf(e, j.IgnoreFilter))
	}
	return targets, relay.Invalid(faults...)
}
