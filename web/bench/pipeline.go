package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"
)

const (
	pipelineSenders = 64  // as many as the program has
	pipelineBatch   = 200 // items of a transaction, at most
	pipelineBacklog = 1_000_000
)

// pipeline is the least that a durable relay has to do, and the most that this
// machine allows one to reach: it answers an event once that and its delivery are
// committed, sends it, and commits what came of it. Whatever waits at that moment
// shares a transaction. It routes, signs, retries and recovers nothing.
type pipeline struct {
	store  pipelineStore
	to     string // where deliveries go
	client *http.Client
	hand   func(context.Context, *item) error // a stored item to the senders

	lastID   atomic.Int64
	received chan *item
	stored   chan *item
	sent     chan *item
}

// item is an event and its one delivery.
type item struct {
	id     int64
	body   []byte
	status int // that the receiver answered
	stored chan error
}

// pipelineStore commits items, durably.
type pipelineStore interface {
	accept(context.Context, []*item) error // events and deliveries
	record(context.Context, []*item) error // outcomes
	writers() int                          // that may commit at the same time
}

func newPipeline(store pipelineStore, to string) *pipeline {
	p := &pipeline{
		store: store, to: to,
		client:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: pipelineSenders, DisableCompression: true}},
		received: make(chan *item, 1024), stored: make(chan *item, pipelineBacklog), sent: make(chan *item, pipelineBacklog),
	}
	p.hand = func(_ context.Context, it *item) error {
		p.stored <- it
		return nil
	}
	return p
}

// serve takes events until the context ends, or something fails.
func (p *pipeline) serve(ctx context.Context, l net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	server := &fasthttp.Server{NoDefaultServerHeader: true, MaxRequestBodySize: 16 << 20, Handler: func(c *fasthttp.RequestCtx) {
		p.receive(ctx, c)
	}}
	g.Go(func() error { return server.Serve(l) })
	g.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.ShutdownWithContext(stop) // idle connections may stay; the process ends
		p.client.CloseIdleConnections()
		return nil
	})
	for range p.store.writers() {
		g.Go(func() error {
			return inBatches(ctx, p.received, func(batch []*item) error {
				err := p.store.accept(ctx, batch)
				for _, it := range batch {
					it.stored <- err
				}
				return err
			})
		})
		g.Go(func() error {
			return inBatches(ctx, p.sent, func(batch []*item) error { return p.store.record(ctx, batch) })
		})
	}
	for range pipelineSenders {
		g.Go(func() error { return p.sendAll(ctx) })
	}
	return g.Wait()
}

// receive answers once the event is stored.
func (p *pipeline) receive(ctx context.Context, c *fasthttp.RequestCtx) {
	it := &item{id: p.lastID.Add(1), body: bytes.Clone(c.PostBody()), stored: make(chan error, 1)}
	var err error
	select {
	case p.received <- it:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		select {
		case err = <-it.stored:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err == nil {
		err = p.hand(ctx, it)
	}
	if err != nil {
		c.Error(err.Error(), http.StatusInternalServerError)
		return
	}
	c.SetStatusCode(http.StatusAccepted)
}

func (p *pipeline) sendAll(ctx context.Context) error {
	for {
		select {
		case it := <-p.stored:
			if err := p.send(ctx, it); err != nil {
				return unlessOver(ctx, err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *pipeline) send(ctx context.Context, it *item) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.to, bytes.NewReader(it.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	it.status = resp.StatusCode
	p.sent <- it
	return nil
}

// inBatches passes on what waits, until the context ends or do fails.
func inBatches(ctx context.Context, in <-chan *item, do func([]*item) error) error {
	for {
		var batch []*item
		select {
		case it := <-in:
			batch = append(batch, it)
		case <-ctx.Done():
			return nil
		}
		for waiting := true; waiting && len(batch) < pipelineBatch; {
			select {
			case it := <-in:
				batch = append(batch, it)
			default:
				waiting = false
			}
		}
		if err := do(batch); err != nil {
			return unlessOver(ctx, err)
		}
	}
}

// unlessOver is the error, unless it comes from the end of the context.
func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}
