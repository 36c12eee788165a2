package handlers

import (
	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// What the lists of the API can be narrowed by. The pages of the same lists read
// the same parameters by the same functions.
var (
	eventParams = []string{
		"source_id", "event_type", "status", "signature_valid", "from", "to", "q", "idempotency_key",
	}
	deliveryParams = []string{"endpoint_id", "event_id", "replay_id", "event_type", "status", "from", "to"}
	replayParams   = []string{"status"}
	auditParams    = []string{"action", "actor", "from", "to"}
)

// list reads the query of a list of the API: its filters, limit and cursor.
func (c *call) list(filters ...string) (*params, db.Page) {
	p := c.params(append([]string{"limit", "cursor"}, filters...)...)
	return p, p.page()
}

func eventFilter(p *params) db.EventFilter {
	return db.EventFilter{
		SourceID: p.id("source_id", relay.PrefixSource), EventType: p.text("event_type"), Status: p.eventStatus("status"),
		SignatureValid: p.bool("signature_valid"), From: p.time("from"), To: p.time("to"), Q: p.text("q"),
		IdempotencyKey: p.text("idempotency_key"),
	}
}

func deliveryFilter(p *params) db.DeliveryFilter {
	return db.DeliveryFilter{
		EndpointID: p.id("endpoint_id", relay.PrefixEndpoint), EventID: p.id("event_id", relay.PrefixEvent),
		ReplayID: p.id("replay_id", relay.PrefixReplay), EventType: p.text("event_type"), Status: p.deliveryStatus("status"),
		From: p.time("from"), To: p.time("to"),
	}
}

func replayFilter(p *params) db.ReplayFilter {
	return db.ReplayFilter{Status: p.replayStatus("status")}
}

// auditFilter also shows to a person who logged in, which keys do not see.
func auditFilter(p *params, reader *relay.User) db.AuditFilter {
	f := db.AuditFilter{Action: p.text("action"), Actor: p.text("actor"), From: p.time("from"), To: p.time("to")}
	if reader != nil {
		f.Reader = reader.ID
	}
	return f
}
