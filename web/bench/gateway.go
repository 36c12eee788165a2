package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// gateway is the REST API of the server that is measured.
type gateway struct {
	url, key string
}

// source makes a source that verifies nothing, and answers its id and its
// ingest URL.
func (g gateway) source(ctx context.Context, name string) (id, ingest string, err error) {
	var made struct {
		ID   string `json:"id"`
		Slug string `json:"slug"`
	}
	err = g.call(ctx, http.MethodPost, "/api/v1/sources", map[string]any{
		"name": name, "type": "http", "verifier": map[string]string{"type": "noop"},
	}, &made)
	return made.ID, g.url + "/in/" + made.Slug, err
}

// endpoint makes an endpoint for the events of one source.
func (g gateway) endpoint(ctx context.Context, name, url, source string) (id string, err error) {
	var made struct {
		ID string `json:"id"`
	}
	err = g.call(ctx, http.MethodPost, "/api/v1/endpoints", map[string]any{
		"name": name, "url": url, "source_ids": []string{source},
	}, &made)
	return made.ID, err
}

func (g gateway) pause(ctx context.Context, endpoint string) error {
	return g.call(ctx, http.MethodPost, "/api/v1/endpoints/"+endpoint+"/pause", nil, nil)
}

func (g gateway) resume(ctx context.Context, endpoint string) error {
	return g.call(ctx, http.MethodPost, "/api/v1/endpoints/"+endpoint+"/resume", nil, nil)
}

func (g gateway) remove(ctx context.Context, endpoint string) error {
	return g.call(ctx, http.MethodDelete, "/api/v1/endpoints/"+endpoint, nil, nil)
}

// ready reports whether the server can work.
func (g gateway) ready(ctx context.Context) error {
	return g.call(ctx, http.MethodGet, "/readyz", nil, nil)
}

// call sends in and reads the data of the answer into out, unless that is nil.
func (g gateway) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+g.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, &struct {
		Data any `json:"data"`
	}{out})
}
