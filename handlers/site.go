package handlers

import (
	"cmp"
	"net"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/reprise-dev/reprise/relay"
)

// ingestURL is where providers post to.
func (a *App) ingestURL(src *relay.Source) string { return a.ingestSite() + "/in/" + src.Slug }

func (a *App) ingestSite() string { return cmp.Or(a.o.IngestURL, a.o.PublicURL) }

// calledSite is the site that a request was made to as its sender knows it,
// which schemes that sign the URL need.
func (a *App) calledSite(rc *fasthttp.RequestCtx) string {
	if a.onIngestHost(rc) {
		return a.o.IngestURL
	}
	return a.o.PublicURL
}

// onIngestHost reports whether a request was made to the host that serves
// nothing but ingest URLs. What a proxy says of the host does not count.
func (a *App) onIngestHost(rc *fasthttp.RequestCtx) bool {
	return a.ingestHost != "" && plainHost(string(rc.Request.Header.Host()), a.ingestScheme) == a.ingestHost
}

// SameHost reports whether two URLs have the same host and port.
func SameHost(one, other string) bool {
	a, errA := url.Parse(one)
	b, errB := url.Parse(other)
	return errA == nil && errB == nil && plainHost(a.Host, a.Scheme) == plainHost(b.Host, b.Scheme)
}

// plainHost is a host as it compares: in lower case, without a dot at its end,
// and always with its port.
func plainHost(host, scheme string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), "80"
		if scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(name), "."), port)
}

// answerPolicy is for all that is not a page: nothing in it runs, and it has no
// origin.
const answerPolicy = "default-src 'none'; frame-ancestors 'none'; sandbox"

// harden sees to it that no answer runs in a browser but what has a policy of
// its own.
func harden(resp *fasthttp.Response) {
	resp.Header.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	if len(resp.Header.Peek(fiber.HeaderContentSecurityPolicy)) == 0 {
		resp.Header.Set(fiber.HeaderContentSecurityPolicy, answerPolicy)
	}
}
