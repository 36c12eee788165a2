package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// receipt is what a provider is told.
type receipt struct {
	status    int
	EventID   string `json:"event_id"`
	Duplicate bool   `json:"duplicate"`
}

// provide posts an event under an idempotency key; an error means that nobody knows
// what became of it.
func provide(client *http.Client, target, key string) (got receipt, err error) {
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(`{"type":"paid","id":"`+key+`"}`))
	if err != nil {
		return got, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return got, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return got, err
	}
	got.status = resp.StatusCode
	return got, json.Unmarshal(raw, &got)
}

// TestKilledBetweenCommitAndAnswer kills the program while many wait for the same
// commit, until it dies after one and before its answers. Who got none tries again with
// the same key, and is told 200 and the event that was kept; it has gone out once.
func TestKilledBetweenCommitAndAnswer(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		const providers, mostRounds = 100, 30
		sink := newSink(t)
		p.start()
		source := map[string]any{"name": "once", "slug": "once", "idempotency_keys": []string{"request.body.id"}}
		if status := p.call("POST", "/sources", source, nil); status != http.StatusCreated {
			t.Fatalf("creating a source: %d", status)
		}
		target := p.URL + "/in/once"
		p.endpoint(sink.URL, nil)
		client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: providers}}
		defer client.CloseIdleConnections()
		events, keptUnanswered := map[string]string{}, 0
		for round := 0; keptUnanswered == 0; round++ {
			if round == mostRounds {
				t.Fatal("it never died between a commit and its answers")
			}
			var lock sync.Mutex
			var unanswered []string
			var all sync.WaitGroup
			for n := range providers {
				all.Go(func() {
					for i := 0; ; i++ {
						key := fmt.Sprintf("%d-%d-%d", round, n, i)
						got, err := provide(client, target, key)
						lock.Lock()
						if err != nil || got.status != http.StatusAccepted { // a busy machine may answer 503
							unanswered = append(unanswered, key)
							lock.Unlock()
							return
						}
						events[key] = got.EventID
						lock.Unlock()
					}
				})
			}
			want := len(events) + 2*providers + 37*round
			p.eventually("some are answered", func() bool { lock.Lock(); defer lock.Unlock(); return len(events) >= want })
			p.kill()
			all.Wait()
			p.start()
			for _, key := range unanswered {
				got, err := provide(client, target, key)
				if err != nil {
					t.Fatal(err)
				}
				if events[key] = got.EventID; got.status == http.StatusOK && got.Duplicate {
					keptUnanswered++
				} else if got.status != http.StatusAccepted || got.Duplicate {
					t.Errorf("the second time it answers %+v", got)
				}
			}
		}
		p.eventually("every delivery ends", func() bool { return len(p.list("/deliveries?status=pending")) == 0 })
		known := map[string]bool{}
		for key, id := range events {
			if known[id] {
				t.Errorf("two keys have event %s", id)
			}
			if known[id] = true; sink.seen(id) == 0 {
				t.Errorf("event %s of %s did not arrive", id, key)
			}
		}
		for _, d := range p.list("/deliveries") {
			if !known[d.EventID] || d.Status != "delivered" {
				t.Errorf("a delivery of %s is %s; known: %t", d.EventID, d.Status, known[d.EventID])
			}
			delete(known, d.EventID)
		}
		if len(known) > 0 {
			t.Errorf("%d events have no delivery", len(known))
		}
	})
}
