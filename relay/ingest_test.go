package relay

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEventType(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 200)
	form := Headers{{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}}
	for name, c := range map[string]struct {
		src     Source
		headers Headers
		query   string
		body    string
		want    string
	}{
		"location in a header":   {src: Source{EventTypeLocation: "request.header.X-Kind"}, headers: Headers{{"x-kind", "a"}, {"X-Event-Type", "b"}}, want: "a"},
		"location in the body":   {src: Source{EventTypeLocation: "request.body.meta.kind"}, body: `{"meta":{"kind":"a"},"type":"b"}`, want: "a"},
		"location in an array":   {src: Source{EventTypeLocation: "request.body.0.event"}, body: `[{"event":"a"},{"event":"b"}]`, want: "a"},
		"location in a query":    {src: Source{EventTypeLocation: "request.query.kind"}, query: "x=1&kind=a%20b", want: "a b"},
		"location of a number":   {src: Source{EventTypeLocation: "request.body.kind"}, body: `{"kind":7}`, want: "7"},
		"location of nothing":    {src: Source{EventTypeLocation: "request.body.nope"}, body: `{"type":"b"}`, want: "b"},
		"location of an object":  {src: Source{EventTypeLocation: "request.body.data"}, body: `{"data":{"a":1}}`, want: "unknown"},
		"source before preset":   {src: Source{Provider: "github", EventTypeLocation: "request.body.kind"}, headers: Headers{{"X-GitHub-Event", "push"}}, body: `{"kind":"a"}`, want: "a"},
		"provider":               {src: Source{Provider: "github"}, headers: Headers{{"X-GitHub-Event", "push"}}, body: `{"type":"b"}`, want: "push"},
		"verifier":               {src: Source{Verifier: Verifier{Type: "stripe"}}, body: `{"type":"customer.created"}`, want: "customer.created"},
		"linear":                 {src: Source{Provider: "linear"}, body: `{"type":"Issue","action":"create"}`, want: "Issue.create"},
		"linear without action":  {src: Source{Provider: "linear"}, body: `{"type":"Issue"}`, want: "Issue"},
		"svix":                   {src: Source{Provider: "svix"}, body: `{"event_type":"ping"}`, want: "ping"},
		"x":                      {src: Source{Provider: "x"}, body: `{"for_user_id":"1","tweet_create_events":[]}`, want: "tweet_create_events"},
		"slack command":          {src: Source{Provider: "slack"}, body: "token=x", want: "unknown"},
		"header":                 {headers: Headers{{"x-event-type", " a.b "}}, body: `{"type":"b"}`, want: "a.b"},
		"type":                   {body: `{"event":"c","event_type":"b","type":"a"}`, want: "a"},
		"event_type":             {body: `{"event":"c","event_type":"b","type":1}`, want: "b"},
		"event":                  {body: `{"event":"c","event_type":null}`, want: "c"},
		"nothing":                {body: `{}`, want: "unknown"},
		"byte order mark":        {body: "\xef\xbb\xbf" + `{"type":"a"}`, want: "a"},
		"location behind a mark": {src: Source{EventTypeLocation: "request.body.kind"}, body: "\xef\xbb\xbf" + `{"kind":"a"}`, want: "a"},
		"array":                  {body: `[{"event":"delivered"},{"event":"b"}]`, want: "delivered"},
		"form":                   {headers: form, body: "id=1&type=order.paid", want: "order.paid"},
		"escaped form":           {headers: form, body: "ty%70e=order%2Epaid+now", want: "order.paid now"},
		"location in a form":     {src: Source{EventTypeLocation: "request.body.meta.kind"}, headers: form, body: "meta.kind=a&type=b", want: "a"},
		"form that holds JSON":   {headers: form, body: "payload=%7B%22type%22%3A%22block_actions%22%7D", want: "block_actions"},
		"location in that JSON":  {src: Source{EventTypeLocation: "request.body.payload.user.name"}, headers: form, body: "payload=" + url.QueryEscape(`{"user":{"name":"a"}}`), want: "a"},
		"form with an array":     {headers: form, body: "mandrill_events=" + url.QueryEscape(`[{"event":"send"},{"event":"open"}]`), want: "send"},
		"field before its JSON":  {headers: form, body: "payload=" + url.QueryEscape(`{"type":"b"}`) + "&event=a", want: "a"},
		"form without its type":  {body: "type=a", want: "unknown"},
		"slack interaction":      {src: Source{Provider: "slack"}, headers: form, body: "payload=" + url.QueryEscape(`{"type":"view_submission"}`), want: "view_submission"},
		"shopify":                {src: Source{Provider: "shopify"}, headers: Headers{{"Shopify-Topic", "orders/paid"}}, want: "orders/paid"},
		"shopify of before":      {src: Source{Provider: "shopify"}, headers: Headers{{"X-Shopify-Topic", "orders/paid"}}, want: "orders/paid"},
		"no JSON":                {body: `{"type":"a"`, want: "unknown"},
		"trailing garbage":       {body: `{"type":"a"} x`, want: "unknown"},
		"empty body":             {want: "unknown"},
		"control characters":     {headers: Headers{{"X-Event-Type", "a\x00\x1b[1m\x7f\u0085b"}}, want: "a[1mb"},
		"invalid UTF-8":          {headers: Headers{{"X-Event-Type", "a\xff\xfeb"}}, want: "ab"},
		"escaped NUL":            {body: `{"type":"a\u0000b"}`, want: "ab"},
		"only control":           {body: `{"type":"\u0000","event":"a"}`, want: "a"},
		"long":                   {headers: Headers{{"X-Event-Type", "x" + long}}, want: "x" + strings.Repeat("ä", 127)},
		"long by one byte":       {headers: Headers{{"X-Event-Type", long}}, want: strings.Repeat("ä", 127)},
		"very long":              {headers: Headers{{"X-Event-Type", strings.Repeat("x", 1<<20)}}, want: strings.Repeat("x", 255)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &Payload{Headers: c.headers, Query: c.query, Body: []byte(c.body)}
			if got := EventType(c.src, p); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A validator that recurses overflows the stack on this, which no handler can
// recover from.
func TestEventTypeOfDeeplyNestedBodies(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"[", `{"type":`} {
		body := strings.Repeat(unit, 5<<20/len(unit))
		if got := EventType(Source{}, &Payload{Body: []byte(body)}); got != UnknownType {
			t.Errorf("%q", got)
		}
	}
	quoted := `{"text":"` + strings.Repeat(`[{\"`, 1000) + `","type":"a"}`
	if got := EventType(Source{}, &Payload{Body: []byte(quoted)}); got != "a" {
		t.Errorf("brackets in a string counted as nesting: %q", got)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	p := &Payload{
		Query:   "id=q%201&empty=&%69d2=2&bad=%zz",
		Headers: Headers{{"X-Id", "h1"}, {"X-Pipe", `a|b\`}, {"X-Long", strings.Repeat("x", 256)}, {"X-Nul", "a\x00"}, {"X-Bytes", "\xff"}},
		Body:    []byte(`{"id":820982911946154508,"data":{"id":"b1","ok":true,"none":null,"list":["l0","l1"]},"a.b":1,"*":"star","@this":"at"}`),
	}
	for name, c := range map[string]struct {
		locations []string
		want      string
	}{
		"none":             {nil, ""},
		"header":           {[]string{"request.header.x-id"}, "h1"},
		"big number":       {[]string{"request.body.id"}, "820982911946154508"},
		"nested":           {[]string{"request.body.data.id"}, "b1"},
		"boolean":          {[]string{"request.body.data.ok"}, "true"},
		"null":             {[]string{"request.body.data.none"}, ""},
		"object":           {[]string{"request.body.data"}, ""},
		"index":            {[]string{"request.body.data.list.1"}, "l1"},
		"query":            {[]string{"request.query.id"}, "q 1"},
		"escaped name":     {[]string{"request.query.id2"}, "2"},
		"bad escape":       {[]string{"request.query.bad"}, "%zz"},
		"no such place":    {[]string{"request.body.nope"}, ""},
		"not a place":      {[]string{"body.id"}, ""},
		"wildcard is name": {[]string{"request.body.*"}, "star"},
		"modifier is name": {[]string{"request.body.@this"}, "at"},
		"count is name":    {[]string{"request.body.data.#"}, ""},
		"joined":           {[]string{"request.header.X-Id", "request.body.data.id"}, "h1|b1"},
		"joined, one gone": {[]string{"request.body.nope", "request.body.data.id"}, "|b1"},
		"joined, all gone": {[]string{"request.body.nope", "request.header.nope"}, ""},
		"joined, escaped":  {[]string{"request.header.X-Pipe", "request.header.X-Id"}, `a\|b\\|h1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := IdempotencyKey(Source{IdempotencyKeys: c.locations}, p)
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	for _, header := range []string{"X-Long", "X-Nul", "X-Bytes"} {
		sum := sha256.Sum256([]byte(p.Headers.Get(header)))
		want := "sha256:" + hex.EncodeToString(sum[:])
		if got := IdempotencyKey(Source{IdempotencyKeys: []string{"request.header." + header}}, p); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add("request.body.a.0.b", "a=1&b", []byte(`{"a":[{"b":"c"}]}`))
	f.Add("request.body.#.@this|*", "%zz=%", []byte(`[[[{"":"\ud800"}]]]`))
	f.Add("request.query.a", "a=%00", []byte("\x00"))
	f.Add("request.body...", "", []byte(`{"a":1}{"a":2}`))
	f.Fuzz(func(t *testing.T, location, query string, body []byte) {
		src := Source{EventTypeLocation: location, IdempotencyKeys: []string{location, "request.body.id"}}
		p := &Payload{Query: query, Body: body, Headers: Headers{{"X-Event-Type", query}}}
		for name, s := range map[string]string{"type": EventType(src, p), "key": IdempotencyKey(src, p)} {
			if len(s) > maxKey || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("the %s is %q", name, s)
			}
		}
		if EventType(src, p) == "" {
			t.Error("an event without a type")
		}
	})
}

// TestPresetKeysDropNothing has pairs of requests of one provider: some repeat
// the other, some are another event, though a key of before was the same.
func TestPresetKeysDropNothing(t *testing.T) {
	t.Parallel()
	adyen := func(items ...string) string {
		for i, item := range items {
			psp, code, _ := strings.Cut(item, "/")
			items[i] = `{"NotificationRequestItem":{"pspReference":"` + psp + `","eventCode":"` + code + `"}}`
		}
		return `{"notificationItems":[` + strings.Join(items, ",") + `]}`
	}
	for name, c := range map[string]struct {
		provider     string
		first, later Payload
		same         bool
	}{
		"a chargeback of a payment": {"adyen", Payload{Body: []byte(adyen("p1/AUTHORISATION"))}, Payload{Body: []byte(adyen("p1/CHARGEBACK"))}, false},
		"a payment again":           {"adyen", Payload{Body: []byte(adyen("p1/CAPTURE", "p2/CAPTURE"))}, Payload{Body: []byte(adyen("p1/CAPTURE", "p2/CAPTURE"))}, true},
		"a larger batch":            {"adyen", Payload{Body: []byte(adyen("p1/CAPTURE"))}, Payload{Body: []byte(adyen("p1/CAPTURE", "p2/CAPTURE"))}, false},
		"another batch":             {"hubspot", Payload{Body: []byte(`[{"eventId":1},{"eventId":2}]`)}, Payload{Body: []byte(`[{"eventId":1},{"eventId":3}]`)}, false},
		"the same batch":            {"hubspot", Payload{Body: []byte(`[{"eventId":1},{"eventId":2}]`)}, Payload{Body: []byte(`[{"eventId":1},{"eventId":2}]`)}, true},
		"mails of another batch":    {"sendgrid", Payload{Body: []byte(`[{"sg_event_id":"a"},{"sg_event_id":"b"}]`)}, Payload{Body: []byte(`[{"sg_event_id":"a"}]`)}, false},
		"mails without ids":         {"sendgrid", Payload{Body: []byte(`[{"a":1},{"a":2}]`)}, Payload{Body: []byte(`[{"a":1},{"a":3}]`)}, false},
		"GitLab":                    {"gitlab", Payload{Headers: Headers{{"Idempotency-Key", "k1"}, {"X-Gitlab-Event-UUID", "u"}}}, Payload{Headers: Headers{{"Idempotency-Key", "k2"}, {"X-Gitlab-Event-UUID", "u"}}}, false},
		"Svix":                      {"svix", Payload{Headers: Headers{{"svix-id", "msg_1"}}}, Payload{Headers: Headers{{"svix-id", "msg_1"}}}, true},
		"Clerk":                     {"clerk", Payload{Headers: Headers{{"svix-id", "msg_1"}}}, Payload{Headers: Headers{{"svix-id", "msg_2"}}}, false},
		"Shopify":                   {"shopify", Payload{Headers: Headers{{"Shopify-Webhook-Id", "w1"}}}, Payload{Headers: Headers{{"Shopify-Webhook-Id", "w1"}}}, true},
	} {
		src := Source{Provider: c.provider}
		src.FollowPreset(&Source{})
		first, later := IdempotencyKey(src, &c.first), IdempotencyKey(src, &c.later)
		if same := first != "" && first == later; same != c.same {
			t.Errorf("%s: keys %q and %q of %v", name, first, later, src.IdempotencyKeys)
		}
	}
}
