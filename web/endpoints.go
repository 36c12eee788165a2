package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

const endpointsPath = "/api/v1/endpoints"

func endpointsCommand() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use: "endpoints", Short: "List endpoints, create one, pause and resume one", Args: cobra.NoArgs,
		Long: "Endpoints of a running server. REPRISE_URL and REPRISE_API_KEY say where and as whom.",
		Example: "  reprise endpoints\n" +
			"  reprise endpoints create --name Billing --url https://billing.example.com/hooks --backfill-days 3\n" +
			"  reprise endpoints pause whk_…",
		RunE: withClient(func(cmd *cobra.Command, c *client, _ []string) error {
			if raw {
				return c.showRaw(cmd, http.MethodGet, endpointsPath, nil)
			}
			all, err := list[endpoint](cmd.Context(), c, endpointsPath)
			if err != nil {
				return err
			}
			return writeEndpoints(cmd.OutOrStdout(), all)
		}),
	}
	jsonFlag(cmd, &raw)
	cmd.AddCommand(createEndpointCommand(),
		endpointCommand("pause", "Make its deliveries wait"),
		endpointCommand("resume", "Send it what waits, and what comes"))
	return cmd
}

func createEndpointCommand() *cobra.Command {
	var name, address string
	var sources, types []string
	var days int
	var raw bool
	cmd := &cobra.Command{
		Use: "create --name NAME --url URL", Short: "Create an endpoint, and send it what came in before", Args: cobra.NoArgs,
		Long: "Creates an endpoint and shows its signing secret, once. With --backfill-days a replay sends it the events of these days,\n" +
			"oldest first, and meets the live stream: no gap, and no event twice.",
		RunE: withClient(func(cmd *cobra.Command, c *client, _ []string) error {
			switch {
			case name == "":
				return fmt.Errorf("--name must say what it is called (%w)", errUsage)
			case address == "":
				return fmt.Errorf("--url must be where its deliveries go (%w)", errUsage)
			}
			body := map[string]any{"name": name, "url": address}
			given := cmd.Flags().Changed
			if given("source") {
				body["source_ids"] = sources
			}
			if given("type") {
				body["event_filter"] = types
			}
			if given("backfill-days") {
				body["backfill_days"] = days
			}
			return show(cmd, c, http.MethodPost, endpointsPath, body, raw, func(w io.Writer, e *endpoint) error { return e.writeNew(w) })
		}),
	}
	cmd.Flags().StringVar(&name, "name", "", "what it is called")
	cmd.Flags().StringVar(&address, "url", "", "where its deliveries go")
	cmd.Flags().StringSliceVar(&sources, "source", nil, "id of a source that it gets events of; may be repeated (default: every source)")
	cmd.Flags().StringSliceVar(&types, "type", nil, "event type that it gets, such as invoice.*; may be repeated (default: every type)")
	cmd.Flags().IntVar(&days, "backfill-days", 0, "send it the events of the last `days` too")
	jsonFlag(cmd, &raw)
	return cmd
}

// endpointCommand is a command that changes an endpoint and shows it.
func endpointCommand(act, short string) *cobra.Command {
	return thingCommand(act, "whk_…", short, endpointsPath, func() any { return nil }, func(w io.Writer, e *endpoint) error {
		return writeEndpoints(w, []endpoint{*e})
	})
}

// endpoint is an endpoint as the API shows it.
type endpoint struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	URL         string   `json:"url"`
	Status      string   `json:"status"`
	PauseReason string   `json:"pause_reason"`
	EventFilter []string `json:"event_filter"`
	Secret      string   `json:"secret"`
	Backfill    *struct {
		ReplayID string `json:"replay_id"`
		Error    string `json:"error"`
	} `json:"backfill"`
}

// writeNew shows what is told once: the secret, and the job that sends the
// endpoint what came in before it.
func (e *endpoint) writeNew(w io.Writer) error {
	if err := writeEndpoints(w, []endpoint{*e}); err != nil {
		return err
	}
	text := "Signing secret, shown this once: " + e.Secret + "\n"
	switch b := e.Backfill; {
	case b == nil:
	case b.Error != "":
		text += "It was not backfilled: " + b.Error + "\n"
	default:
		text += "What came in before is sent by " + b.ReplayID + "; `reprise replay status " + b.ReplayID + " -f` shows how far it is.\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

func writeEndpoints(w io.Writer, endpoints []endpoint) error {
	rows := [][]string{{"ENDPOINT", "STATUS", "NAME", "TYPES", "URL"}}
	for _, e := range endpoints {
		status := e.Status
		if e.PauseReason != "" {
			status += ": " + shortened(e.PauseReason)
		}
		types := "all"
		if len(e.EventFilter) > 0 {
			types = shortened(strings.Join(e.EventFilter, " "))
		}
		rows = append(rows, []string{e.ID, status, e.Name, types, e.URL})
	}
	return table(w, rows)
}
