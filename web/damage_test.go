package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// filled is the file of a database with n events, whose bodies tell their order, and
// their ids.
func filled(t *testing.T, n int, end func(p *program)) (file string, ids []string) {
	t.Helper()
	p := newProgram(t)
	p.start()
	sink := newSink(t)
	target := p.source("damage")
	p.endpoint(sink.URL, nil)
	for i := range n {
		got, err := provide(http.DefaultClient, target, fmt.Sprint(i))
		if err != nil || got.status != http.StatusAccepted {
			t.Fatalf("receiving answers %d, %v", got.status, err)
		}
		ids = append(ids, got.EventID)
	}
	p.eventually("all are delivered", func() bool { return len(p.list("/deliveries?status=delivered")) == n })
	end(p)
	return strings.TrimPrefix(p.databaseURL(), "sqlite://"), ids
}

// copied copies a file, changed.
func copied(t *testing.T, file, to string, change func([]byte) []byte) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, change(raw), 0o600); err != nil {
		t.Fatal(err)
	}
}

func unchanged(raw []byte) []byte { return raw }

// TestACutLog cuts the write-ahead log of SQLite at random lengths, as a disk may that
// loses what it had not written. Each time the database opens at an earlier moment: the
// first events are there, whole, and no others.
func TestACutLog(t *testing.T) {
	t.Parallel()
	file, ids := filled(t, 100, (*program).kill)
	var lost atomic.Int64
	t.Cleanup(func() {
		if lost.Load() == 0 {
			t.Error("no cut took anything away")
		}
	})
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 26))
			p := newProgram(t)
			p.env = append(p.env, "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "cut.db"))
			to := strings.TrimPrefix(p.databaseURL(), "sqlite://")
			copied(t, file, to, unchanged)
			copied(t, file+"-wal", to+"-wal", func(raw []byte) []byte { return raw[:random.IntN(len(raw))] })
			p.start()
			kept := 0
			for i, id := range ids {
				switch status := p.call("GET", "/events/"+id, nil, nil); {
				case status == http.StatusOK && i == kept:
					kept++
				case status != http.StatusNotFound:
					t.Fatalf("event %d of %d, after %d that are there: %d", i, len(ids), kept, status)
				}
			}
			lost.Add(int64(len(ids) - kept))
			p.eventually("every delivery ends", func() bool { return len(p.list("/deliveries?status=pending")) == 0 })
			if n := len(p.list("/deliveries")); n != kept {
				t.Errorf("%d deliveries of %d events", n, kept)
			}
			if status := p.stop(); status != 0 {
				t.Errorf("it ended with %d", status)
			}
			p.intact()
		})
	}
}

// TestFlippedBytes changes bytes of a database at random. The program refuses to start
// and says why, or answers for what it cannot read; it never panics.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	file, ids := filled(t, 100, func(p *program) { p.stop() })
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 27))
			p := newProgram(t)
			p.env = append(p.env, "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "flipped.db"))
			copied(t, file, strings.TrimPrefix(p.databaseURL(), "sqlite://"), func(raw []byte) []byte {
				spared := len(raw) / 4 * int(seed%4) // most of the first quarter is the schema
				for range 1 << random.IntN(11) {
					raw[spared+random.IntN(len(raw)-spared)] ^= byte(1 << random.IntN(8))
				}
				return raw
			})
			p.usesDamaged(ids)
			if said := p.log.String(); strings.Contains(said, "panic") || strings.Contains(said, "goroutine ") {
				t.Errorf("it panicked")
			}
		})
	}
}

// usesDamaged starts the program on a damaged database and, if it starts, asks for
// everything.
func (p *program) usesDamaged(ids []string) {
	p.t.Helper()
	p.cmd = p.command("serve")
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.cmd.Wait() }()
	var refused bool
	p.eventually("it is there or has ended", func() bool {
		select {
		case <-ended:
			refused = true
			return true
		default:
		}
		status, _ := p.ready()
		return status != 0
	})
	if refused {
		if said := p.log.String(); p.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said, "reprise: opening /") && !strings.Contains(said, "reprise: using the database: ") {
			p.t.Errorf("it ended with %d and said: %s", p.cmd.ProcessState.ExitCode(), said)
		}
		p.t.Logf("refused: %s", p.log)
		p.cmd = nil
		return
	}
	client := &http.Client{Timeout: 30 * time.Second}
	answers := map[int]int{}
	for _, path := range []string{"/events", "/deliveries", "/endpoints", "/sources", "/replays", "/dead-letters", "/audit", "/events/" + ids[0], "/events/" + ids[50], "/events?q=paid"} {
		status, err := p.tryCall("GET", path, nil, nil)
		if err != nil {
			p.t.Fatalf("%s: %v", path, err)
		}
		answers[status]++
	}
	for i := range 20 {
		got, err := provide(client, p.URL+"/in/damage", fmt.Sprintf("new %d", i))
		if err != nil && got.status == 0 {
			p.t.Fatal(err)
		}
		answers[got.status]++
		if status, err := p.tryCall("POST", "/events/"+ids[i]+"/replay", nil, nil); err != nil {
			p.t.Fatal(err)
		} else {
			answers[status]++
		}
	}
	p.t.Logf("answers: %v", answers)
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-ended:
	case <-time.After(time.Minute):
		p.t.Error("it does not stop")
		_ = p.cmd.Process.Kill()
		<-ended
	}
	p.cmd = nil
	client.CloseIdleConnections()
}
