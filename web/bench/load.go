package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// loadJob says what to post.
type loadJob struct {
	URL         string  `json:"url"` // of the source
	Run         string  `json:"run"`
	Events      int     `json:"events"`
	Size        int     `json:"size"` // of a body, bytes
	Connections int     `json:"connections"`
	PerSecond   float64 `json:"per_second"` // 0: as quickly as they are accepted
	Copies      int     `json:"-"`          // deliveries of each event; 0: one
}

// loadResult says what became of it.
type loadResult struct {
	Accepted int            `json:"accepted"`
	Refused  map[string]int `json:"refused,omitempty"` // by status, or "error"
	Start    int64          `json:"start_ns"`          // of the first post
	Seconds  float64        `json:"seconds"`           // to the last answer
	Acks     []int64        `json:"acks_ns"`           // from sending to the answer, of each
}

// load posts the events of a job. With a rate it is open-loop: an event's
// time is when it should have been sent, whether or not a connection was free
// then, so that a stall of the server is counted in full.
func load(ctx context.Context, job loadJob) (loadResult, error) {
	var uri fasthttp.URI
	if err := uri.Parse(nil, []byte(job.URL)); err != nil {
		return loadResult{}, err
	}
	client := &fasthttp.HostClient{
		Addr: string(uri.Host()), MaxConns: job.Connections, ReadTimeout: 30 * time.Second,
		WriteTimeout: 30 * time.Second, MaxIdleConnDuration: time.Minute,
	}
	defer client.CloseIdleConnections()

	var (
		next    atomic.Int64
		wg      sync.WaitGroup
		workers = make([]poster, job.Connections)
		start   = time.Now()
	)
	for i := range workers {
		w := &workers[i]
		*w = poster{client: client, job: job, refused: map[string]int{}}
		wg.Go(func() {
			for ctx.Err() == nil {
				seq := int(next.Add(1)) - 1
				if seq >= job.Events {
					return
				}
				sent := time.Now()
				if job.PerSecond > 0 {
					sent = start.Add(time.Duration(float64(seq) / job.PerSecond * float64(time.Second)))
					sleepUntil(ctx, sent)
				}
				w.post(seq, sent)
			}
		})
	}
	wg.Wait()

	result := loadResult{Refused: map[string]int{}, Start: start.UnixNano(), Seconds: round(time.Since(start).Seconds(), 4)}
	for _, w := range workers {
		result.Acks = append(result.Acks, w.acks...)
		for status, n := range w.refused {
			result.Refused[status] += n
		}
	}
	result.Accepted = len(result.Acks)
	if result.Accepted == 0 {
		return result, fmt.Errorf("no event was accepted at %s: %v", job.URL, result.Refused)
	}
	return result, ctx.Err()
}

// poster is one connection.
type poster struct {
	client  *fasthttp.HostClient
	job     loadJob
	body    []byte
	acks    []int64
	refused map[string]int
}

func (p *poster) post(seq int, sent time.Time) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	req.SetRequestURI(p.job.URL)
	p.body = message{run: p.job.Run, seq: seq, sent: sent.UnixNano()}.appendTo(p.body[:0], p.job.Size)
	req.SetBodyRaw(p.body)
	err := p.client.Do(req, resp)
	switch status := resp.StatusCode(); {
	case err != nil && errors.Is(err, fasthttp.ErrTimeout):
		p.refused["timeout"]++
	case err != nil:
		p.refused["error"]++
	case status < 200 || status > 299:
		p.refused[fmt.Sprint(status)]++
	default:
		p.acks = append(p.acks, int64(time.Since(sent)))
	}
}

func sleepUntil(ctx context.Context, at time.Time) {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
