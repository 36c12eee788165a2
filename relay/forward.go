package relay

import "strings"

// headerRule says what becomes of an inbound header on its way out.
type headerRule byte

const (
	forward    headerRule = iota
	private               // only if the source allows it by name
	ours                  // goes on under another name, since ours takes its place
	descriptor            // describes the body, so that it always goes along
	never
)

// OriginalPrefix is put before the names of inbound headers that are ours on
// the way out: webhook-id becomes X-Original-Webhook-Id.
const OriginalPrefix = "X-Original-"

var headerRules = map[string]headerRule{
	"content-type":     descriptor,
	"content-encoding": descriptor,

	"authorization":    private,
	"cookie":           private,
	"x-api-key":        private,
	"forwarded":        private,
	"via":              private,
	"x-real-ip":        private,
	"x-client-ip":      private,
	"true-client-ip":   private,
	"fastly-client-ip": private,

	"webhook-id":        ours,
	"webhook-timestamp": ours,
	"webhook-signature": ours,
	"svix-id":           ours,
	"svix-timestamp":    ours,
	"svix-signature":    ours,

	"host":              never,
	"content-length":    never,
	"accept-encoding":   never,
	"expect":            never,
	"connection":        never,
	"keep-alive":        never,
	"te":                never,
	"trailer":           never,
	"transfer-encoding": never,
	"upgrade":           never,
	"http2-settings":    never,
}

var headerPrefixRules = []struct {
	prefix string
	rule   headerRule
}{
	{"x-forwarded-", private},
	{"cf-", private},
	{"x-reprise-", ours},
	{"proxy-", never},
}

func ruleOf(name string) headerRule {
	var buf [32]byte
	if len(name) <= len(buf) {
		for i := 0; i < len(name); i++ {
			buf[i] = lower(name[i])
		}
		if rule, ok := headerRules[string(buf[:len(name)])]; ok {
			return rule
		}
	}
	for _, p := range headerPrefixRules {
		if hasPrefixFold(name, p.prefix) {
			return p.rule
		}
	}
	return forward
}

// ForwardHeaders picks the headers of a received request that go on to the
// endpoints. With an allow list these are the named ones, and those that
// describe the body; without, all end-to-end headers but credentials, those
// that the caller names among them, and what proxies added. Neither way lets
// through what belongs to the connection or cannot be sent, and inbound headers
// that a receiver would take for ours are renamed.
func ForwardHeaders(in Headers, allow []string, credentials ...string) Headers {
	out := make(Headers, 0, len(in))
	hop := namedByConnection(in)
	for i := range in {
		h := in[i]
		rule := ruleOf(h.Name)
		if rule == never || !isToken(h.Name) || !isFieldValue(h.Value) {
			continue
		}
		if hop != nil && hop[strings.ToLower(h.Name)] {
			continue
		}
		if len(allow) > 0 {
			if rule != descriptor && !containsFold(allow, h.Name) {
				continue
			}
		} else if rule == private || containsFold(credentials, h.Name) {
			continue
		}
		if rule == ours {
			h.Name = originalName(h.Name)
		}
		out = append(out, h)
	}
	return out
}

// originalName is webhook-id as X-Original-Webhook-Id and
// X-Reprise-Delivery-Id as X-Original-Reprise-Delivery-Id.
func originalName(name string) string {
	if hasPrefixFold(name, "x-") {
		name = name[2:]
	}
	b := append(make([]byte, 0, len(OriginalPrefix)+len(name)), OriginalPrefix...)
	start := true
	for i := 0; i < len(name); i++ {
		c := lower(name[i])
		if start && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		start = c == '-'
		b = append(b, c)
	}
	return string(b)
}

// namedByConnection are the headers, in lower case, of which a Connection
// header declares that they are for this connection only. It is mostly nil.
func namedByConnection(in Headers) map[string]bool {
	var names map[string]bool
	for i := range in {
		if !equalFold(in[i].Name, "connection") {
			continue
		}
		for token := range strings.SplitSeq(in[i].Value, ",") {
			token = strings.TrimSpace(token)
			if ruleOf(token) == never || token == "" || equalFold(token, "close") {
				continue
			}
			if names == nil {
				names = make(map[string]bool)
			}
			names[strings.ToLower(token)] = true
		}
	}
	return names
}

func containsFold(list []string, name string) bool {
	for _, s := range list {
		if equalFold(s, name) {
			return true
		}
	}
	return false
}
