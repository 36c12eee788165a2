package main

import (
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// arrival is one request that came in.
type arrival struct {
	path, event, delivery string
	attempt, status       int // status 0: no answer
	from, to              time.Time
	dated                 time.Time // by its webhook-timestamp
}

// receiver is all endpoints. Each has a mood, which faults change.
type receiver struct {
	mu       sync.Mutex
	arrivals []arrival
	moods    map[string]kind
	changed  map[string]chan struct{} // closed when the mood of a path changes
	server   *http.Server
	url      string
}

func startReceiver() (*receiver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{moods: map[string]kind{}, changed: map[string]chan struct{}{}, url: "http://" + l.Addr().String() + "/"}
	for _, t := range targets {
		r.changed[t.name] = make(chan struct{})
	}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(l) }() // until it is closed
	return r, nil
}

// become changes how an endpoint behaves; "" is well.
func (r *receiver) become(name string, mood kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moods[name] = mood
	close(r.changed[name])
	r.changed[name] = make(chan struct{})
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a := arrival{path: req.URL.Path[1:], event: req.Header.Get("Webhook-Id"), delivery: req.Header.Get("X-Reprise-Delivery-Id"), from: time.Now()}
	if dated, err := strconv.ParseInt(req.Header.Get("Webhook-Timestamp"), 10, 64); err == nil {
		a.dated = time.Unix(dated, 0)
	}
	a.attempt, _ = strconv.Atoi(req.Header.Get("X-Reprise-Attempt"))
	r.mu.Lock()
	mood, changed, at := r.moods[a.path], r.changed[a.path], len(r.arrivals)
	r.arrivals = append(r.arrivals, a)
	r.mu.Unlock()
	if changed == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.Copy(io.Discard, req.Body)
	a.status = r.answer(&a, mood, changed, req)
	a.to = time.Now() // before the answer, which lets the next one come
	r.mu.Lock()
	r.arrivals[at] = a
	r.mu.Unlock()
	if a.status == 0 {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			conn.Close()
		}
		return
	}
	w.WriteHeader(a.status)
}

// answer takes its time and says how a request is answered.
func (r *receiver) answer(a *arrival, mood kind, changed chan struct{}, req *http.Request) int {
	t := targetOf(a.path)
	switch mood {
	case hang:
		select {
		case <-changed:
		case <-req.Context().Done():
		}
		return 0
	case reset:
		return 0
	case refuse:
		return http.StatusInternalServerError
	case slow:
		rest(req.Context(), slowAnswer)
	}
	rest(req.Context(), t.wait)
	if req.Context().Err() != nil {
		return 0
	}
	if t.flaky {
		switch lot := lotOf(a); {
		case lot < 15:
			return http.StatusInternalServerError
		case lot < 20:
			return 0
		}
	}
	return http.StatusOK
}

// lotOf is a number below 100 that is always the same for an attempt.
func lotOf(a *arrival) uint32 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, a.delivery+strconv.Itoa(a.attempt)) // a hash takes everything
	return h.Sum32() % 100
}

func targetOf(name string) target {
	for _, t := range targets {
		if t.name == name {
			return t
		}
	}
	return target{}
}

// all is what arrived so far.
func (r *receiver) all() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.arrivals...)
}
