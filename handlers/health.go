package handlers

import (
	"context"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"github.com/reprise-dev/reprise/relay"
)

// healthz says that the process lives.
func (a *App) healthz(c *fiber.Ctx) error {
	setAPIHeaders(c.Response())
	return c.JSON(fiber.Map{"status": "ok"})
}

const readyTime = 2 * time.Second

// readyz says whether the database and Redis answer.
func (a *App) readyz(c *fiber.Ctx) error {
	setAPIHeaders(c.Response())
	ctx, cancel := context.WithTimeout(c.UserContext(), readyTime)
	defer cancel()
	status, word := fiber.StatusOK, "ok"
	say := func(err error) string {
		if err == nil {
			return "ok"
		}
		status, word = fiber.StatusServiceUnavailable, "degraded"
		return "no answer"
	}
	database := say(a.store.Ping(ctx))
	backend, err := a.queue.Status(ctx)
	redis := say(err)
	return c.Status(status).JSON(fiber.Map{
		"status": word, "database": database, "database_kind": a.store.Kind(), "redis": redis, "redis_kind": backend,
	})
}

// metrics shows what is counted to who knows the token; without a token, to
// this machine only, unless a proxy passes on what comes from elsewhere.
func (a *App) metrics(c *fiber.Ctx) error {
	setAPIHeaders(c.Response())
	if a.o.MetricsToken != "" {
		given, _ := strings.CutPrefix(c.Get(fiber.HeaderAuthorization), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(given), []byte(a.o.MetricsToken)) != 1 {
			return &relay.Error{Kind: relay.KindUnauthorized, Detail: "Send the token of the metrics as Authorization: Bearer TOKEN."}
		}
	} else if !c.Context().RemoteIP().IsLoopback() || c.Get(fiber.HeaderXForwardedFor) != "" || c.Get("Forwarded") != "" {
		return &relay.Error{Kind: relay.KindForbidden, Detail: "Metrics are shown to this machine only, unless REPRISE_METRICS_TOKEN is set."}
	}
	fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(a.o.Metrics, promhttp.HandlerOpts{}))(c.Context())
	return nil
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
