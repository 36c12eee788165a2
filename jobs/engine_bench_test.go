package jobs

import (
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

// BenchmarkPipeline measures events committed and delivered, all in one
// process: what is left for HTTP on the way in is not in it.
func BenchmarkPipeline(b *testing.B) {
	b.Run("embedded", func(b *testing.B) {
		benchmarkPipeline(b, "sqlite://"+filepath.Join(b.TempDir(), "r.db"), "embedded")
	})
	b.Run("servers", func(b *testing.B) {
		postgres, err := dbtest.StartPostgres(dbtest.Durable)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(postgres.Stop)
		benchmarkPipeline(b, postgres.URL, dbtest.Redis(b))
	})
}

func benchmarkPipeline(b *testing.B, database, redisURL string) {
	var arrived atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &fasthttp.Server{Handler: func(*fasthttp.RequestCtx) { arrived.Add(1) }}
	go func() { _ = server.Serve(l) }()
	b.Cleanup(func() { _ = server.Shutdown() })
	r := newRig(b, database, redisURL)
	r.start()
	e := r.endpoint("/x", func(e *relay.Endpoint) { e.URL = "http://" + l.Addr().String() + "/x" })
	b.ResetTimer()
	began := time.Now()
	r.receive(b.N, e)
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "accepted/s")
	r.eventually("all arrived", func() bool { return arrived.Load() >= int64(b.N) })
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "delivered/s")
}
