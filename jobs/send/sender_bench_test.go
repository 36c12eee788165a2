package send

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// The receiver of the benchmark is another process, so that the CPU time that
// is reported is that of sending alone.
const benchReceiverEnv = "REPRISE_BENCH_RECEIVER"

func TestMain(m *testing.M) {
	if os.Getenv(benchReceiverEnv) != "" {
		benchReceiver()
		return
	}
	os.Exit(m.Run())
}

func benchReceiver() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString(l.Addr().String() + "\n")
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			br := bufio.NewReader(conn)
			for {
				if _, err := readArrival(br); err != nil {
					return
				}
				_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"))
			}
		}()
	}
}

func BenchmarkSend(b *testing.B) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchReceiverEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	s := newTestSender(b)
	req := requestTo("http://"+strings.TrimSpace(addr)+"/hook", func(r *Request) {
		r.Body = []byte(strings.Repeat("x", 2048))
		r.Headers = relay.Headers{
			{Name: "Host", Value: "hooks.example.com"}, {Name: "User-Agent", Value: "GitHub-Hookshot/044aadd"},
			{Name: "Content-Length", Value: "2048"}, {Name: "Accept", Value: "*/*"}, {Name: "Content-Type", Value: "application/json"},
			{Name: "X-GitHub-Delivery", Value: "72d3162e-cc78-11e3-81ab-4c9367dc0958"}, {Name: "X-GitHub-Event", Value: "issues"},
			{Name: "X-GitHub-Hook-ID", Value: "292430182"}, {Name: "X-Hub-Signature-256", Value: "sha256=d57c68ca6f92289e6987922ff26938930f6e66a2d161ef06abdf1859230aa23c"},
		}
	})
	run := func(b *testing.B, send func()) {
		b.ReportAllocs()
		before := cpuTime()
		send()
		b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
	}
	send := func(b *testing.B) {
		if res := s.Send(context.Background(), req); res.Outcome != relay.OutcomeSuccess {
			b.Fatal(res.Err)
		}
	}
	b.Run("serial", func(b *testing.B) {
		run(b, func() {
			for b.Loop() {
				send(b)
			}
		})
	})
	b.Run("parallel32", func(b *testing.B) {
		b.SetParallelism(16)
		run(b, func() {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					send(b)
				}
			})
		})
	})
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
