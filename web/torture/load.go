package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// senders is how many requests are under way at most.
const senders = 32

// send posts an event of each type at a steady pace, and answers the number of
// each event that was accepted by its id. Nothing is sent twice.
func send(ctx context.Context, url string, types []string, rate float64) map[string]int {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	var (
		mu       sync.Mutex
		accepted = make(map[string]int, len(types))
		next     atomic.Int64
		all      sync.WaitGroup
		start    = time.Now()
	)
	for range senders {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(types) {
					return
				}
				rest(ctx, time.Until(start.Add(time.Duration(float64(i)/rate*float64(time.Second)))))
				if id := post(ctx, client, url, i, types[i]); id != "" {
					mu.Lock()
					accepted[id] = i
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return accepted
}

// post answers the id of the event if it was accepted.
func post(ctx context.Context, client *http.Client, url string, number int, typ string) string {
	body := fmt.Appendf(nil, `{"type":%q,"number":%d,"text":%q}`, typ, number, filling)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return ""
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var receipt struct {
		ID string `json:"event_id"`
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusAccepted || json.Unmarshal(answer, &receipt) != nil {
		return ""
	}
	return receipt.ID
}

const filling = "The quick brown fox jumps over the lazy dog, and the slow one waits for its turn until the others have had theirs."
