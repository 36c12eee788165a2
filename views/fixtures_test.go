package views

import (
	"fmt"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// The moment at which all fixtures are looked at.
var fixtureNow = time.Date(2026, 11, 23, 14, 7, 30, 0, time.UTC)

func before(d time.Duration) time.Time { return fixtureNow.Add(-d) }

func fixtureID(n int) relay.ID {
	id := relay.NewIDAt(before(time.Duration(n) * time.Minute))
	id[6], id[7], id[8] = 0x70, byte(n), 0x80
	copy(id[9:], fmt.Sprintf("%07d", n*7919%10_000_000))
	return id
}

func fixtureFrame(path string) Frame {
	return Frame{
		ProjectID: fixtureID(9001), ProjectName: "Acme production",
		Projects:  []ProjectItem{{fixtureID(9001), "Acme production"}, {fixtureID(9002), "Acme staging"}, {fixtureID(9003), "Sandbox"}},
		UserEmail: "mara.lindqvist@acme.example", PublicURL: "https://hooks.acme.example",
		Path: path, DeadLetters: 14, Version: "0.1.0", Now: fixtureNow,
	}
}

var fixtureSources = []SourceRef{
	{fixtureID(501), "Stripe, live", "stripe-live"}, {fixtureID(502), "GitHub", "github"},
	{fixtureID(503), "Shopify EU", "shopify-eu"}, {fixtureID(504), "Internal events", "internal"},
}

var fixtureEndpoints = []EndpointRef{
	{fixtureID(601), "Billing service", "https://billing.acme.example/webhooks/stripe", relay.EndpointActive},
	{fixtureID(602), "CI runner", "https://ci.acme.example/hooks", relay.EndpointActive},
	{fixtureID(603), "Warehouse sync", "https://warehouse.acme.example/in/orders?shard=3", relay.EndpointPaused},
	{fixtureID(604), "Analytics", "https://collect.analytics.example/v2/events", relay.EndpointActive},
	{fixtureID(605), "Old CRM", "https://crm-legacy.acme.example/hook", relay.EndpointDisabled},
}

var fixtureTypes = []string{"invoice.paid", "invoice.payment_failed", "customer.subscription.updated", "push", "pull_request.opened", "orders/create", "charge.refunded"}

func fixtureEvent(n int) *relay.Event {
	statuses := []relay.EventStatus{
		relay.EventDelivered, relay.EventDelivered, relay.EventForwarding, relay.EventDelivered, relay.EventFailed, relay.EventDelivered,
		relay.EventRejected, relay.EventDelivered, relay.EventUnmatched, relay.EventDuplicate, relay.EventDelivered,
	}
	ev := &relay.Event{
		ID: fixtureID(n), SourceID: fixtureSources[n%3].ID, EventType: fixtureTypes[n%len(fixtureTypes)],
		Status: statuses[n%len(statuses)], SignatureValid: true, Verdict: relay.VerdictValid, ContentType: "application/json",
		Size: 412 + n*n*37%9000, ReceivedAt: before(time.Duration(n*n*11+n*7+4) * time.Second), IdempotencyKey: "evt_1QK9x2CZ6qsJgndJ",
	}
	if ev.Status == relay.EventRejected {
		ev.SignatureValid, ev.Verdict = false, relay.VerdictBadSignature
	}
	if n%3 == 2 {
		ev.Verdict = relay.VerdictUnverified
	}
	return ev
}

func fixtureEventRows(n int) []EventRow {
	rows := make([]EventRow, n)
	for i := range rows {
		rows[i] = EventRow{Event: fixtureEvent(i), Source: fixtureSources[i%3], Deliveries: 2 + i%2, Delivered: 2 + i%2}
		switch rows[i].Event.Status {
		case relay.EventFailed, relay.EventForwarding:
			rows[i].Delivered = 1
		case relay.EventRejected, relay.EventUnmatched, relay.EventDuplicate:
			rows[i].Deliveries, rows[i].Delivered = 0, 0
		}
	}
	return rows
}

func fixtureDelivery(n int) *relay.Delivery {
	d := &relay.Delivery{
		ID: fixtureID(2000 + n), EventID: fixtureID(n), EndpointID: fixtureEndpoints[n%4].ID, EventType: fixtureTypes[n%len(fixtureTypes)],
		Status: relay.DeliveryDelivered, Attempts: 1, LastResponseStatus: 200, LastResponseExcerpt: `{"ok":true}`,
		Trigger: relay.TriggerIngest, CreatedAt: before(time.Duration(n*n*9+n*5+3) * time.Second),
	}
	d.DeliveredAt = d.CreatedAt.Add(180 * time.Millisecond)
	failed := func(s relay.DeliveryStatus, attempts, code int, excerpt, problem string) {
		d.Status, d.Attempts, d.LastResponseStatus, d.LastResponseExcerpt, d.LastError = s, attempts, code, excerpt, problem
		d.DeliveredAt = time.Time{}
	}
	switch n % 9 {
	case 1:
		failed(relay.DeliveryRetrying, 3, 503, "upstream connect error or disconnect/reset before headers", "The endpoint answered 503 Service Unavailable.")
		d.NextAttemptAt = fixtureNow.Add(42 * time.Second)
	case 3:
		failed(relay.DeliveryDLQ, 6, 0, "", "No answer within 15 s.")
	case 4:
		failed(relay.DeliveryPending, 0, 0, "", "")
	case 6:
		d.Trigger = relay.TriggerReplay
	case 7:
		failed(relay.DeliveryDiscarded, 2, 422, `{"error":"unknown shop"}`, "The endpoint answered 422 Unprocessable Entity.")
	case 8:
		failed(relay.DeliveryPending, 0, 0, "", "")
		d.InFlight = true
	}
	return d
}

func fixtureDeliveryRows(n int) []DeliveryRow {
	rows := make([]DeliveryRow, n)
	for i := range rows {
		rows[i] = DeliveryRow{fixtureDelivery(i), fixtureEndpoints[i%4]}
		if d := rows[i].Delivery; d.Status == relay.DeliveryPending && !d.InFlight {
			rows[i].Endpoint = fixtureEndpoints[2]
		}
	}
	return rows
}

func fixtureDeadRows(n int) []DeliveryRow {
	rows := make([]DeliveryRow, n)
	for i := range rows {
		rows[i] = DeliveryRow{fixtureDelivery(i*9 + 3), fixtureEndpoints[i%2*3]}
		if i%3 == 1 {
			rows[i].Delivery.LastResponseStatus, rows[i].Delivery.LastResponseExcerpt = 500, "Internal Server Error: relation \"invoices\" does not exist"
		}
	}
	return rows
}

var fixtureHeaders = relay.Headers{
	{Name: "Host", Value: "hooks.acme.example"}, {Name: "User-Agent", Value: "Stripe/1.0 (+https://stripe.com/docs/webhooks)"},
	{Name: "Content-Type", Value: "application/json; charset=utf-8"}, {Name: "Content-Length", Value: "1214"}, {Name: "Accept", Value: "*/*; q=0.5, application/xml"},
	{Name: "Stripe-Signature", Value: "t=1795442850,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"},
}

const fixtureBody = `{"id":"evt_1QK9x2CZ6qsJgndJ","object":"event","api_version":"2026-09-30","created":1795442850,"livemode":true,"type":"invoice.payment_failed","data":{"object":{"id":"in_1QK9wzCZ6qsJgndJ8yPq","customer":"cus_RCx8mQ","customer_name":"Bröd & Söner <AB>","amount_due":129900,"currency":"eur","paid":false,"attempt_count":2,"tax_rate":0.25,"discount":null,"lines":[{"id":"il_1QK9","description":"Team plan, 12 seats","quantity":12},{"id":"il_1QKA","description":"Replay add-on","quantity":1}],"hosted_invoice_url":"https://invoice.stripe.com/i/acct_1032D8/live_YWNjdF8x"}},"pending_webhooks":1}`

func fixtureAttempt(n int, at time.Time, outcome relay.Outcome, code int, took time.Duration, problem, body string) *relay.Attempt {
	a := &relay.Attempt{
		ID: fixtureID(7000 + n), Number: n, Outcome: outcome, StartedAt: at, Duration: took, URL: fixtureEndpoints[0].URL, Error: problem,
		RequestHeaders: relay.Headers{
			{Name: "Content-Type", Value: "application/json; charset=utf-8"}, {Name: "User-Agent", Value: "Reprise/0.1"},
			{Name: "Webhook-Id", Value: relay.PrefixEvent.Format(fixtureID(4))}, {Name: "Webhook-Timestamp", Value: "1795442860"},
			{Name: "Webhook-Signature", Value: "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="}, {Name: "X-Reprise-Attempt", Value: fmt.Sprint(n)},
		},
		ResponseStatus: code,
	}
	if code > 0 {
		a.ResponseHeaders = relay.Headers{{Name: "Server", Value: "nginx"}, {Name: "Content-Type", Value: "application/json"}, {Name: "Date", Value: at.Format(time.RFC1123)}}
		a.ResponseBody = []byte(body)
	}
	return a
}

func fixtureAttempts() []*relay.Attempt {
	start := before(12 * time.Minute)
	return []*relay.Attempt{
		fixtureAttempt(1, start, relay.OutcomeStatus, 503, 1420*time.Millisecond, "The endpoint answered 503 Service Unavailable.", `{"error":"database is starting up"}`),
		fixtureAttempt(2, start.Add(11*time.Second), relay.OutcomeTimeout, 0, 15*time.Second, "No answer within 15 s.", ""),
		fixtureAttempt(3, start.Add(52*time.Second), relay.OutcomeConnect, 0, 3*time.Millisecond, "The connection to 203.0.113.7:443 was refused: nothing listens there.", ""),
		fixtureAttempt(4, start.Add(115*time.Second), relay.OutcomeStatus, 500, 84*time.Millisecond, "The endpoint answered 500 Internal Server Error.", `{"error":"relation \"invoices\" does not exist","trace":["billing/db.go:118","billing/hook.go:52"]}`),
	}
}

func fixtureTotals(events int) Totals {
	return Totals{Events: events, Rejected: events / 60, Delivered: events * 19 / 10, Failed: events / 90, Attempts: events * 21 / 10, Failures: events / 9, P50: 84 * time.Millisecond, P95: 612 * time.Millisecond}
}

func fixtureBuckets(n int, width time.Duration) []Bucket {
	buckets := make([]Bucket, n)
	for i := range buckets {
		load := 180 + (i*i*37+i*91)%140 + 12*min(i, n-i)
		t := fixtureTotals(load)
		t.P50, t.P95 = time.Duration(70+i*13%40)*time.Millisecond, time.Duration(420+i*i*17%380)*time.Millisecond
		if i > n*3/5 && i < n*3/5+4 {
			t.Failed, t.Failures, t.Delivered, t.P95 = load/2, load, load, 2400*time.Millisecond
		}
		buckets[i] = Bucket{At: fixtureNow.Add(-time.Duration(n-i) * width), Width: width, Totals: t}
	}
	return buckets
}
