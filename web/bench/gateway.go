package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/reprise-dev/reprise/web/api"
)

// gateway is the REST API of the server that is measured.
type gateway struct{ api.Client }

// source makes a source that verifies nothing, and answers its id and its
// ingest URL.
func (g gateway) source(ctx context.Context, name string) (id, ingest string, err error) {
	var made struct {
		ID   string `json:"id"`
		Slug string `json:"slug"`
	}
	err = g.Call(ctx, http.MethodPost, "/api/v1/sources", map[string]any{
		"name": name, "type": "http", "verifier": map[string]string{"type": "noop"},
	}, &made)
	return made.ID, g.URL + "/in/" + made.Slug, err
}

// endpoint makes an endpoint for the events of one source.
func (g gateway) endpoint(ctx context.Context, name, url, source string) (id string, err error) {
	var made struct {
		ID string `json:"id"`
	}
	err = g.Call(ctx, http.MethodPost, "/api/v1/endpoints", map[string]any{
		"name": name, "url": url, "source_ids": []string{source},
	}, &made)
	return made.ID, err
}

// relay makes a source and copies endpoints at the receiver for its events, and
// answers the ingest URL.
func (g gateway) relay(ctx context.Context, name, receiver string, copies int) (ingest string, err error) {
	source, ingest, err := g.source(ctx, name)
	if err != nil {
		return "", err
	}
	if copies == 1 {
		_, err = g.endpoint(ctx, name, "http://"+receiver+"/hook", source)
		return ingest, err
	}
	for i := range copies {
		if _, err := g.endpoint(ctx, fmt.Sprint(name, i), fmt.Sprintf("http://%s/hook/%d", receiver, i), source); err != nil {
			return "", err
		}
	}
	return ingest, nil
}

func (g gateway) pause(ctx context.Context, endpoint string) error {
	return g.Call(ctx, http.MethodPost, "/api/v1/endpoints/"+endpoint+"/pause", nil, nil)
}

func (g gateway) resume(ctx context.Context, endpoint string) error {
	return g.Call(ctx, http.MethodPost, "/api/v1/endpoints/"+endpoint+"/resume", nil, nil)
}

func (g gateway) remove(ctx context.Context, endpoint string) error {
	return g.Call(ctx, http.MethodDelete, "/api/v1/endpoints/"+endpoint, nil, nil)
}

// ready reports whether the server can work.
func (g gateway) ready(ctx context.Context) error {
	return g.Call(ctx, http.MethodGet, "/readyz", nil, nil)
}
