package jobs

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reprise-dev/reprise/relay"
)

// metrics are what an engine counts. Labels are few and known: nothing of a
// delivery ever becomes one.
type metrics struct {
	attempts  *prometheus.CounterVec
	duration  prometheus.Histogram
	latency   prometheus.Histogram
	claims    prometheus.Counter
	claimed   prometheus.Counter
	lapsed    prometheus.Counter
	removed   prometheus.Counter
	retention prometheus.Gauge
	made      prometheus.Counter
}

const (
	resultDelivered   = "delivered"
	resultRetrying    = "retrying"
	resultDead        = "dead"
	resultInterrupted = "interrupted"
)

func newMetrics() *metrics {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reprise_attempts_total", Help: "Requests to endpoints by what they made of their delivery.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "reprise_attempt_duration_seconds", Help: "How long requests to endpoints took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "reprise_delivery_latency_seconds", Help: "From when an event came in until it was delivered at its first attempt.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 300},
		}),
		claims:  counter("reprise_claims_total", "Statements that claimed what was due."),
		claimed: counter("reprise_claimed_deliveries_total", "Deliveries that they claimed."),
		lapsed:  counter("reprise_leases_lapsed_total", "Deliveries whose process died or went silent while it had them."),
		made:    counter("reprise_replay_deliveries_total", "Deliveries that replay jobs made."),
		removed: counter("reprise_retention_removed_events_total", "Events that retention removed."),
		retention: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reprise_retention_last_run_timestamp_seconds", Help: "When retention was last done in this process; 0: not yet.",
		}),
	}
	for _, result := range []string{resultDelivered, resultRetrying, resultDead, resultInterrupted} {
		m.attempts.WithLabelValues(result)
	}
	return m
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

// attempt counts one that was recorded.
func (m *metrics) attempt(a *relay.Attempt, became relay.DeliveryStatus, lane relay.Lane, created time.Time) {
	result := resultRetrying
	switch {
	case a.Outcome == relay.OutcomeInterrupted:
		result = resultInterrupted
	case became == relay.DeliveryDelivered:
		result = resultDelivered
	case became == relay.DeliveryDLQ:
		result = resultDead
	}
	m.attempts.WithLabelValues(result).Inc()
	m.duration.Observe(a.Duration.Seconds())
	if became == relay.DeliveryDelivered && lane == relay.LaneLive && a.Number == 1 {
		m.latency.Observe(max(a.StartedAt.Add(a.Duration).Sub(created), 0).Seconds())
	}
}

// Describe says which metrics an engine has.
func (e *Engine) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(e, to) }

var (
	descWindow  = prometheus.NewDesc("reprise_window_claims", "Claims that this process holds.", nil, nil)
	descLimit   = prometheus.NewDesc("reprise_window_claims_limit", "How many it holds at most.", nil, nil)
	descSenders = prometheus.NewDesc("reprise_senders_busy", "Requests that are under way.", nil, nil)
	descMost    = prometheus.NewDesc("reprise_senders_limit", "How many are at most.", nil, nil)
	descHand    = prometheus.NewDesc("reprise_hand_deliveries", "Deliveries in the hands of this process that have not begun.", nil, nil)
	descRedis   = prometheus.NewDesc("reprise_redis_up", "Whether tasks go through Redis; 0: this process works without it.", nil, nil)
	descBeat    = prometheus.NewDesc("reprise_heartbeat_age_seconds", "How long ago this process last said that it lives.", nil, nil)
)

// Collect tells how the engine stands.
func (e *Engine) Collect(to chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{e.metrics.attempts, e.metrics.duration, e.metrics.latency, e.metrics.claims, e.metrics.claimed,
		e.metrics.lapsed, e.metrics.made, e.metrics.removed, e.metrics.retention} {
		c.Collect(to)
	}
	gauge := func(d *prometheus.Desc, v float64) { to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	claimed, sending := e.places.inUse()
	gauge(descWindow, float64(claimed))
	gauge(descLimit, float64(windowOf(e.Concurrency)))
	gauge(descSenders, float64(sending))
	gauge(descMost, float64(e.Concurrency))
	gauge(descHand, float64(e.hand.size()))
	up := 0.0
	if e.redisOK.Load() {
		up = 1
	}
	gauge(descRedis, up)
	gauge(descBeat, (time.Since(e.started) - time.Duration(e.beat.Load())).Seconds())
}

// Backlog are metrics that the database is asked for when they are: what is due,
// and which replay jobs there are. Every process tells the same.
type Backlog struct{ Client *Client }

var (
	descDue    = prometheus.NewDesc("reprise_backlog_deliveries", "Deliveries that are due, up to 100,000 of a lane.", []string{"lane"}, nil)
	descOldest = prometheus.NewDesc("reprise_backlog_oldest_seconds", "For how long the oldest of them has been due.", []string{"lane"}, nil)
	descJobs   = prometheus.NewDesc("reprise_replay_jobs", "Replay jobs that are not over.", []string{"status"}, nil)
)

// Describe says which metrics there are.
func (b Backlog) Describe(to chan<- *prometheus.Desc) {
	to <- descDue
	to <- descOldest
	to <- descJobs
}

// Collect asks the database. While it does not answer there are none of these.
func (b Backlog) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	lanes, err := b.Client.Store.BacklogByLane(ctx)
	if err != nil {
		return
	}
	names := map[relay.Lane]string{relay.LaneLive: "live", relay.LaneRetry: "retry", relay.LaneReplay: "replay"}
	for lane, name := range names {
		to <- prometheus.MustNewConstMetric(descDue, prometheus.GaugeValue, float64(lanes[lane].Due), name)
		to <- prometheus.MustNewConstMetric(descOldest, prometheus.GaugeValue, lanes[lane].Oldest.Seconds(), name)
	}
	jobs, err := b.Client.Store.OpenReplayCounts(ctx)
	if err != nil {
		return
	}
	for _, status := range []relay.ReplayStatus{relay.ReplayPlanning, relay.ReplayPlanned, relay.ReplayRunning, relay.ReplayPaused} {
		to <- prometheus.MustNewConstMetric(descJobs, prometheus.GaugeValue, float64(jobs[status]), string(status))
	}
}
