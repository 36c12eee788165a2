package handlers

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// Forwarding headers are believed from proxies that the operator named, and
// even then only what those proxies added themselves.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		trusted string
		headers string
		want    string
	}{
		{"", "", "127.0.0.1"},
		{"", "X-Forwarded-For: 1.2.3.4\r\n", "127.0.0.1"},
		{"10.0.0.0/8", "X-Forwarded-For: 1.2.3.4\r\n", "127.0.0.1"},
		{"127.0.0.0/8", "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4"},
		{"127.0.0.0/8", "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n", "1.2.3.4"},
		{"127.0.0.0/8", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4, 127.0.0.9\r\n", "1.2.3.4"},
		{"127.0.0.0/8", "X-Forwarded-For: 1.2.3.4, junk\r\n", "127.0.0.1"},
		{"127.0.0.0/8", "X-Forwarded-For: ::ffff:1.2.3.4\r\n", "1.2.3.4"},
		{"127.0.0.0/8", "X-Forwarded-For: " + strings.Repeat("127.0.0.1, ", 999) + "127.0.0.2\r\n", "127.0.0.1"},
		{"127.0.0.0/8", "Forwarded: for=1.2.3.4\r\n", "127.0.0.1"},
	} {
		w := setup(t, func(o *Options) {
			if c.trusted != "" {
				o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(c.trusted)}
			}
		})
		slug := w.source(nil)["slug"].(string)
		got := w.dial().exchange("POST /in/" + slug + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n" + c.headers + "\r\nx")
		id, err := relay.ParseID(relay.PrefixEvent, got.json(t, 202)["event_id"].(string))
		w.must(err)
		p, err := w.store.Payload(context.Background(), id)
		w.must(err)
		if p.IP != c.want {
			t.Errorf("%s %.60s: %s, want %s", c.trusted, c.headers, p.IP, c.want)
		}
	}
}
