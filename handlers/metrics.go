package handlers

import (
	"crypto/subtle"
	"net"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"github.com/reprise-dev/reprise/relay"
)

// metrics shows what is counted to who knows the token; without a token, to
// this machine only.
func (a *App) metrics(c *fiber.Ctx) error {
	setAPIHeaders(c.Response())
	if a.o.MetricsToken != "" {
		given, _ := strings.CutPrefix(c.Get(fiber.HeaderAuthorization), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(given), []byte(a.o.MetricsToken)) != 1 {
			return &relay.Error{Kind: relay.KindUnauthorized, Detail: "Send the token of the metrics as Authorization: Bearer TOKEN."}
		}
	} else if !c.Context().RemoteIP().IsLoopback() || passedOn(c.Request()) {
		return &relay.Error{Kind: relay.KindForbidden,
			Detail: "Metrics are shown to this machine only, and not through a proxy, unless REPRISE_METRICS_TOKEN is set."}
	}
	fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(a.o.Metrics, promhttp.HandlerOpts{}))(c.Context())
	return nil
}

// passedOn reports whether a request shows that a proxy made it: by a header
// that only proxies set, by a host that is not this machine's, or by HTTP/1.0,
// which nginx speaks to what is behind it unless told otherwise.
func passedOn(req *fasthttp.Request) bool {
	for name := range req.Header.All() {
		if isProxyHeader(strings.ToLower(string(name))) {
			return true
		}
	}
	return !req.Header.IsHTTP11() || !isLoopbackHost(string(req.Header.Host()))
}

func isProxyHeader(name string) bool {
	switch name {
	case "forwarded", "via", "cdn-loop", "max-forwards", "x-real-ip", "x-client-ip", "client-ip", "true-client-ip", "x-cluster-client-ip",
		"x-originating-ip", "x-remote-ip", "x-remote-addr", "x-proxyuser-ip":
		return true
	}
	for _, prefix := range []string{"x-forwarded", "x-original-", "x-envoy-", "x-amzn-", "x-amz-cf-", "cf-", "fly-", "fastly-", "x-appengine-", "x-azure-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// isLoopbackHost reports whether a Host header names this machine as itself.
func isLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// counts are the counters of the web side. Their labels are few and known:
// nothing of a request ever becomes one.
type counts struct {
	accepted, duplicate, rejected, unknown, disabled, tooLarge, limited, unavailable prometheus.Counter
}

func newCounts(registry *prometheus.Registry) *counts {
	received := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "reprise_ingest_requests_total", Help: "Requests to ingest URLs by what became of them.",
	}, []string{"result"})
	registry.MustRegister(received)
	of := func(result string) prometheus.Counter { return received.WithLabelValues(result) }
	return &counts{
		accepted: of("accepted"), duplicate: of("duplicate"), rejected: of("rejected"), unknown: of("unknown_source"),
		disabled: of("disabled"), tooLarge: of("too_large"), limited: of("rate_limited"), unavailable: of("unavailable"),
	}
}
