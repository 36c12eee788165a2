package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// client calls a running server's REST API, as REPRISE_URL and REPRISE_API_KEY say.
type client struct {
	base string
	key  string
	http *http.Client
}

// callTime is how long one call may take: planning a large replay takes a
// while. An export may take longer.
const callTime = 3 * time.Minute

func newClient() (*client, error) {
	base := strings.TrimSuffix(cmp.Or(os.Getenv("REPRISE_URL"), "http://127.0.0.1:8080"), "/")
	if u, err := url.Parse(base); err != nil || u.Host == "" {
		return nil, errors.New("REPRISE_URL must be the address of the server, such as https://hooks.example.com")
	}
	key := os.Getenv("REPRISE_API_KEY")
	if key == "" {
		return nil, errors.New("REPRISE_API_KEY must be an API key; `reprise keys create` makes one")
	}
	return &client{base, key, &http.Client{}}, nil
}

// maxAnswer bounds what an answer may hold; exports are not held.
const maxAnswer = 8 << 20

// call makes a call, with a body unless that is nil.
func (c *client) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var got bytes.Buffer
	err := c.copy(ctx, method, path, body, &limited{&got, maxAnswer})
	return got.Bytes(), err
}

// copy makes a call and writes the answer to w while it comes.
func (c *client) copy(ctx context.Context, method, path string, body any, w io.Writer) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, sent)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if sent != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		got, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return err
		}
		return apiError(resp.StatusCode, got)
	}
	_, err = io.Copy(w, resp.Body)
	return err
}

// data makes a call and reads what the answer holds under "data" into out.
func (c *client) data(ctx context.Context, method, path string, body, out any) error {
	got, err := c.call(ctx, method, path, body)
	if err != nil {
		return err
	}
	return json.Unmarshal(got, &struct {
		Data any `json:"data"`
	}{out})
}

// list reads all pages of a list. path has no query.
func list[T any](ctx context.Context, c *client, path string) ([]T, error) {
	var all []T
	for query := "?limit=100"; ; {
		got, err := c.call(ctx, http.MethodGet, path+query, nil)
		if err != nil {
			return nil, err
		}
		var page struct {
			Data []T
			Next string `json:"next_cursor"`
		}
		if err := json.Unmarshal(got, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Data...)
		if page.Next == "" {
			return all, nil
		}
		query = "?limit=100&cursor=" + url.QueryEscape(page.Next)
	}
}

// limited is a writer that takes no more than left.
type limited struct {
	io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errors.New("the server's answer is too long")
	}
	return l.Writer.Write(p)
}

func apiError(status int, body []byte) error {
	var problem struct {
		Detail string
		Code   string
		Errors []struct{ Field, Message string }
	}
	if json.Unmarshal(body, &problem) != nil || problem.Code == "" {
		return &refusal{status, fmt.Sprintf("the server answered %d %s", status, http.StatusText(status))}
	}
	text := fmt.Sprintf("%s (%s)", problem.Detail, problem.Code)
	for _, e := range problem.Errors {
		text += fmt.Sprintf("\n%s: %s", flagOf(e.Field), e.Message)
	}
	return &refusal{status, text}
}

// refusal is the server's word that it will not do something.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }
