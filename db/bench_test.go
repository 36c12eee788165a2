package db

import (
	"sync"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/relay"
)

// Both databases are durable here, as in production:
//
//	go test ./db -run '^$' -bench . -benchtime 30000x
func benchBoth(b *testing.B, bench func(*testing.B, *world)) {
	b.Run("sqlite", func(b *testing.B) { bench(b, newWorld(b, sqliteURL(b))) })
	b.Run("postgres", func(b *testing.B) {
		server, err := dbtest.StartPostgres(dbtest.Durable)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(server.Stop)
		bench(b, newWorld(b, server.URL))
	})
}

const benchReceivers = 64

// receiveMany stores n events for an endpoint, as many at a time as there are
// receivers.
func (w *world) receiveMany(b *testing.B, n int, e *relay.Endpoint) {
	var wait sync.WaitGroup
	work := make(chan struct{})
	for range benchReceivers {
		wait.Go(func() {
			for range work {
				if _, err := w.Receive(b.Context(), w.benchReception(e)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for range n {
		work <- struct{}{}
	}
	close(work)
	wait.Wait()
}

func (w *world) benchReception(e *relay.Endpoint) engine.Reception {
	in := w.reception(e)
	in.Payload.Headers = append(in.Payload.Headers, relay.Header{Name: "User-Agent", Value: "Provider/1.0"},
		relay.Header{Name: "X-Signature", Value: "sha256=0f2d7b5cbd0e7a3d1c6e4f2b9a8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d"})
	in.Payload.Body = make([]byte, 1024)
	in.Event.Size = len(in.Payload.Body)
	return in
}

func BenchmarkReceive(b *testing.B) {
	benchBoth(b, func(b *testing.B, w *world) {
		e := w.addEndpoint(b)
		b.ReportAllocs()
		b.ResetTimer()
		w.receiveMany(b, b.N, e)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}

// BenchmarkClaimRecord measures full cycles: events come in while a
// dispatcher claims their deliveries and records them.
func BenchmarkClaimRecord(b *testing.B) {
	benchBoth(b, func(b *testing.B, w *world) {
		e := w.addEndpoint(b)
		b.ReportAllocs()
		b.ResetTimer()
		var receiving sync.WaitGroup
		receiving.Go(func() { w.receiveMany(b, b.N, e) })
		var recorded sync.WaitGroup
		for claimed := 0; claimed < b.N; {
			claims := claimFrom(b, w.Store, 500, e)
			if len(claims) == 0 {
				<-time.After(time.Millisecond)
			}
			claimed += len(claims)
			recorded.Add(len(claims))
			for _, c := range claims {
				w.Record(b.Context(), outcome(w.Store, c, relay.DeliveryDelivered), func(stale bool, err error) {
					if stale || err != nil {
						b.Errorf("stale %v, %v", stale, err)
					}
					recorded.Done()
				})
			}
		}
		receiving.Wait()
		recorded.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cycles/s")
	})
}
