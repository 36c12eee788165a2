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

	"github.com/spf13/cobra"
)

// client calls a running server's REST API, as REPRISE_URL and REPRISE_API_KEY say.
type client struct {
	base string
	key  string
	http *http.Client
}

func newClient() (*client, error) {
	base := strings.TrimSuffix(cmp.Or(os.Getenv("REPRISE_URL"), "http://127.0.0.1:8080"), "/")
	if u, err := url.Parse(base); err != nil || u.Host == "" {
		return nil, errors.New("REPRISE_URL must be the address of the server, such as https://hooks.example.com")
	}
	key := os.Getenv("REPRISE_API_KEY")
	if key == "" {
		return nil, errors.New("REPRISE_API_KEY must be an API key; `reprise keys create` makes one")
	}
	return &client{base, key, &http.Client{Timeout: 30 * time.Second}}, nil
}

// post sends a JSON body and returns the answer's bytes, or the API's own
// words as an error.
func (c *client) post(ctx context.Context, path string, body any) ([]byte, error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, apiError(resp.StatusCode, got)
	}
	return got, nil
}

func apiError(status int, body []byte) error {
	var problem struct {
		Detail string
		Code   string
		Errors []struct{ Field, Message string }
	}
	if json.Unmarshal(body, &problem) != nil || problem.Code == "" {
		return fmt.Errorf("the server answered %d %s", status, http.StatusText(status))
	}
	text := fmt.Sprintf("%s (%s)", problem.Detail, problem.Code)
	for _, e := range problem.Errors {
		text += fmt.Sprintf("\n%s: %s", e.Field, e.Message)
	}
	return errors.New(text)
}

func eventsCommand() *cobra.Command {
	events := &cobra.Command{Use: "events", Short: "Events of a running server"}
	var endpoint, eventType string
	trigger := &cobra.Command{
		Use: "trigger --endpoint whk_… --event TYPE", Short: "Send a test event to an endpoint", Args: cobra.NoArgs,
		Long: "Sends a synthetic event, signed with the endpoint's real secret and marked data.test: true.\nREPRISE_URL and REPRISE_API_KEY say where and as whom.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient()
			if err != nil {
				return err
			}
			if endpoint == "" {
				return fmt.Errorf("--endpoint must be the id of an endpoint (%w)", errUsage)
			}
			body := map[string]string{}
			if eventType != "" {
				body["event"] = eventType
			}
			answer, err := c.post(cmd.Context(), "/api/v1/endpoints/"+url.PathEscape(endpoint)+"/test-fire", body)
			if err != nil {
				return err
			}
			var shown bytes.Buffer
			if err := json.Indent(&shown, answer, "", "  "); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), shown.String())
			return err
		},
	}
	trigger.Flags().StringVar(&endpoint, "endpoint", "", "id of the endpoint")
	trigger.Flags().StringVar(&eventType, "event", "", "event type, such as invoice.paid")
	events.AddCommand(trigger)
	return events
}
