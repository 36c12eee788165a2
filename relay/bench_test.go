package relay

import (
	"bytes"
	"testing"
)

// What ingest and delivery do for each event, on a body of two kilobytes.

func benchPayload() *Payload {
	return &Payload{
		Method: "POST",
		Headers: Headers{
			{"Host", "in.example"}, {"User-Agent", "Stripe/1.0"}, {"Content-Type", "application/json"}, {"Content-Length", "2048"},
			{"Accept", "*/*"}, {"X-Forwarded-For", "1.2.3.4"}, {"X-Request-Id", "abc"}, {"Connection", "keep-alive"},
			{"X-GitHub-Event", "push"},
		},
		Body: []byte(`{"id":"evt_1","data":{"text":"` + string(bytes.Repeat([]byte("x"), 2000)) + `"},"type":"invoice.paid"}`),
	}
}

func BenchmarkEventType(b *testing.B) {
	p, src := benchPayload(), Source{}
	b.ReportAllocs()
	for b.Loop() {
		EventType(src, p)
	}
}

func BenchmarkIdempotencyKey(b *testing.B) {
	p, src := benchPayload(), Source{IdempotencyKeys: []string{"request.body.id"}}
	b.ReportAllocs()
	for b.Loop() {
		IdempotencyKey(src, p)
	}
}

func BenchmarkForwardHeaders(b *testing.B) {
	p := benchPayload()
	b.ReportAllocs()
	for b.Loop() {
		ForwardHeaders(p.Headers, nil)
	}
}

func BenchmarkSignAll(b *testing.B) {
	p, secrets := benchPayload(), []Secret{{Value: NewSecret()}}
	b.ReportAllocs()
	for b.Loop() {
		SignAll(secrets, noon, "evt_0190a000-0000-7000-8000-000000000000", p.Body)
	}
}

func BenchmarkVerify(b *testing.B) {
	p, v := benchPayload(), Verifier{Type: "github", Secret: testSecret}
	p.Headers = append(p.Headers, Header{"X-Hub-Signature-256", "sha256=" + hexMAC(string(p.Body))})
	b.ReportAllocs()
	for b.Loop() {
		if Verify(v, noon, p, "") != VerdictValid {
			b.Fatal("not valid")
		}
	}
}

func BenchmarkHeadersRoundTrip(b *testing.B) {
	p := benchPayload()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeHeaders(EncodeHeaders(p.Headers)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPlanDeliveries(b *testing.B) {
	ev := &Event{EventType: "invoice.paid"}
	endpoints := []*Endpoint{{ID: NewID()}, {ID: NewID(), EventFilter: []string{"user.*", "invoice.*"}}, {ID: NewID(), EventFilter: []string{"x"}}}
	b.ReportAllocs()
	for b.Loop() {
		PlanDeliveries(ev, endpoints)
	}
}

func BenchmarkDecide(b *testing.B) {
	p, out := DefaultRetryPolicy(), Result{Outcome: OutcomeStatus, Status: 503, RetryAfter: "30"}
	now := noon
	b.ReportAllocs()
	for b.Loop() {
		Decide(p, 3, out, now, 1, 0.3)
	}
}
