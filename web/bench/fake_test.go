package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeGateway accepts events into memory and posts each on, once or as often
// as copies says, leaving out every lose-th.
type fakeGateway struct {
	mu        sync.Mutex
	endpoints []*fakeEndpoint
	events    int
	lose      int
	copies    int
	client    http.Client
	sending   sync.WaitGroup
	job       fakeJob
}

type fakeEndpoint struct {
	url, source string
	paused      bool
	waiting     [][]byte
	past        [][]byte
}

func (f *fakeGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case path[0] == "in":
		f.receive(path[1], body)
		w.WriteHeader(http.StatusAccepted)
	case r.Header.Get("Authorization") != "Bearer "+apiKey:
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case path[2] == "replays":
		f.replays(w, path[3:])
	case len(path) == 5:
		f.set(path[3], path[4] == "pause")
	case path[2] == "sources":
		fmt.Fprintf(w, `{"data":{"id":"slug-%d","slug":"slug-%d"}}`, len(f.endpoints), len(f.endpoints))
	case path[2] == "endpoints":
		var in struct {
			URL       string   `json:"url"`
			SourceIDs []string `json:"source_ids"`
		}
		_ = json.Unmarshal(body, &in)
		f.endpoints = append(f.endpoints, &fakeEndpoint{url: in.URL, source: in.SourceIDs[0]})
		fmt.Fprintf(w, `{"data":{"id":"%d"}}`, len(f.endpoints)-1)
	}
}

func (f *fakeGateway) receive(slug string, body []byte) {
	f.events++
	if f.lose > 0 && f.events%f.lose == 0 {
		return
	}
	for _, e := range f.endpoints {
		if e.source != slug {
			continue
		}
		e.past = append(e.past, body)
		switch {
		case e.paused:
			e.waiting = append(e.waiting, body)
		case f.job.slows > 0 && f.job.status == "running":
			f.sending.Go(func() {
				<-time.After(f.job.slows)
				f.send(e.url, body)
			})
		default:
			f.send(e.url, body)
		}
	}
}

func (f *fakeGateway) set(id string, paused bool) {
	for i, e := range f.endpoints {
		if fmt.Sprint(i) != id {
			continue
		}
		e.paused = paused
		for _, body := range e.waiting {
			f.send(e.url, body)
		}
		e.waiting = nil
	}
}

func (f *fakeGateway) send(url string, body []byte) {
	f.sending.Go(func() {
		for range max(f.copies, 1) {
			if resp, err := f.client.Post(url, "application/json", bytes.NewReader(body)); err == nil {
				_ = resp.Body.Close()
			}
		}
	})
}

func (f *fakeGateway) wait(t *testing.T) {
	t.Helper()
	f.sending.Wait()
	f.client.CloseIdleConnections()
}
