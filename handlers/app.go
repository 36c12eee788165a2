package handlers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// Queue is what the handlers need of the work that goes on behind them.
type Queue interface {
	// Nudge tells that endpoints have due work. It never blocks.
	Nudge(endpoints ...relay.ID)
	// Take marks as in flight those of some deliveries, soon to be committed,
	// that this process will send at once, and answers in whose hands they
	// are to be made; nil: in nobody's. Received or Dropped follows.
	Take(deliveries []relay.Delivery) *db.Lease
	// Received tells of what was just committed.
	Received(event *relay.Event, payload *relay.Payload, deliveries []relay.Delivery, lease *db.Lease)
	// Dropped tells that deliveries were not committed.
	Dropped(deliveries []relay.Delivery)
	// Status tells which Redis is used and whether it can be. If it answers and
	// refuses, the error is a relay.Error with what it says.
	Status(ctx context.Context) (backend string, err error)
	// Reserve counts one act against a limit for each of some keys, which all
	// processes share: under all of them or, if one is over, under none. giveBack
	// takes the act back if nothing came of it, and is nil if it is not allowed.
	Reserve(ctx context.Context, keys []string, rate int, per time.Duration) (giveBack func(), retryAfter time.Duration)
}

// Options are what New needs. Store and Queue must be set.
type Options struct {
	Store *db.Store
	Queue Queue

	PublicURL      string // scheme and host, no slash at the end
	IngestURL      string // the same of a host that serves nothing but ingest URLs; empty: there is none
	MaxBodyBytes   int    // of a request; 0: 5 MiB
	TrustedProxies []netip.Prefix
	Egress         relay.EgressPolicy

	APIRatePerMinute   int // for each caller; 0: none
	ReplaysPerMinute   int // manual replays of an endpoint; 0: none
	TestFiresPerMinute int // of an endpoint; 0: none

	MetricsToken string               // empty: /metrics answers to loopback only, and not through a proxy
	Metrics      *prometheus.Registry // what /metrics shows; nil: a new one
	Version      string
	HealthOnly   bool // the app has the routes by which a process is watched, and no others
	Connections  int  // that are served at a time, others are answered 503; 0: 4096

	ReadTimeout time.Duration // for a whole request; 0: 30 s
	Now         func() time.Time
	Log         *slog.Logger
}

// App is the web side of Reprise. It is a Fiber app: serve it with Listener,
// end it with ShutdownWithContext.
type App struct {
	*fiber.App
	o                        Options
	store                    *db.Store
	queue                    Queue
	sessions                 *scs.SessionManager
	cookie                   string // the name of the session cookie
	bodies                   *bodies
	passwords                *passwords
	sources                  *sourceLimits
	counts                   *counts
	log                      *slog.Logger
	now                      func() time.Time
	secureSite               bool   // the public URL is https
	ingestHost, ingestScheme string // of the ingest URL
	streams                  *streams
	watches                  *watches
	streamTime               time.Duration
	personLook               time.Duration // how often the session of who reads a stream is looked at
}

const (
	defaultMaxBody     = 5 << 20
	defaultReadTimeout = 30 * time.Second
	writeTimeout       = time.Minute
	idleTimeout        = 2 * time.Minute
	// headerBuffer holds the request line and all headers; proxies and
	// providers send up to some 32 kB.
	headerBuffer = 40 << 10
	// defaultConnections are served at the same time; each has a buffer.
	defaultConnections = 4096
)

// New builds the app with all routes of the product.
func New(o Options) *App {
	o.MaxBodyBytes = cmp.Or(o.MaxBodyBytes, defaultMaxBody)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, defaultReadTimeout)
	o.PublicURL, o.IngestURL = strings.TrimSuffix(o.PublicURL, "/"), strings.TrimSuffix(o.IngestURL, "/")
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	counted := o.Metrics
	if o.HealthOnly { // nothing comes in here
		counted = prometheus.NewRegistry()
	}
	a := &App{
		o: o, store: o.Store, queue: o.Queue, log: o.Log, now: o.Now,
		secureSite: strings.HasPrefix(o.PublicURL, "https://"), streamTime: streamTime, personLook: 5 * time.Second,
		streams: newStreams(), watches: newWatches(o.Store.Replay), bodies: newBodies(o.MaxBodyBytes), passwords: newPasswords(), sources: &sourceLimits{},
		counts: newCounts(counted),
	}
	if u, err := url.Parse(o.IngestURL); err == nil && u.Host != "" {
		a.ingestHost, a.ingestScheme = plainHost(u.Host, u.Scheme), u.Scheme
	}
	a.setUpSessions()
	a.App = fiber.New(fiber.Config{
		AppName:                      "Reprise",
		BodyLimit:                    o.MaxBodyBytes,
		StreamRequestBody:            true, // front reads bodies, within limits
		Concurrency:                  cmp.Or(o.Connections, defaultConnections),
		CaseSensitive:                true,
		StrictRouting:                true,
		Immutable:                    true,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true, // it would eat the raw body
		EnableTrustedProxyCheck:      true, // and trust none: clientIP judges proxies itself
		ErrorHandler:                 a.handleError,
		ReadBufferSize:               headerBuffer,
		ReadTimeout:                  o.ReadTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
	})
	server := a.Server()
	server.Handler = a.front(server.Handler)
	server.ExpectHandler = a.expect
	server.Logger = serverLog{a.log}
	if o.HealthOnly {
		a.health(a.App)
	} else {
		a.routes(a.App)
	}
	return a
}

// Listener serves a listener until the app is shut down.
func (a *App) Listener(ln net.Listener) error {
	return a.App.Listener(&lingering{Listener: ln, log: a.log})
}

// serverLog passes on what fasthttp says: that there are too many connections, and,
// for debugging, what was wrong with those of strangers.
type serverLog struct{ *slog.Logger }

// Printf implements fasthttp.Logger.
func (l serverLog) Printf(format string, args ...any) {
	level := slog.LevelDebug
	if strings.HasPrefix(format, "The incoming connection cannot be served") {
		level = slog.LevelWarn
	}
	l.Log(context.Background(), level, "http server", "message", fmt.Sprintf(format, args...))
}
