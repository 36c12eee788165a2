package views

import (
	"net/url"

	"github.com/reprise-dev/reprise/relay"
)

// AuditFilter is the selection of the audit log, as it stands in the URL.
type AuditFilter struct {
	Action string // action
	Actor  string // actor: e-mail, key name or prefixed id
	From   string // from
	To     string // to
}

// Values is the filter as query parameters, empty ones left out.
func (f AuditFilter) Values() url.Values {
	return values("action", f.Action, "actor", f.Actor, "from", f.From, "to", f.To)
}

// AuditModel lists what people, keys and the product did.
type AuditModel struct {
	Frame
	Filter  AuditFilter
	Errors  map[string]string
	Actions []string // known actions, to choose from
	Rows    []*relay.AuditEntry
	Pager   Pager
}
