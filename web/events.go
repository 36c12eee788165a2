package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func eventsCommand() *cobra.Command {
	events := &cobra.Command{
		Use: "events", Short: "Send a test event, or an event again",
		Long: "Events of a running server. REPRISE_URL and REPRISE_API_KEY say where and as whom.",
	}
	events.AddCommand(triggerCommand(), replayEventCommand())
	return events
}

func triggerCommand() *cobra.Command {
	var endpoint, eventType string
	trigger := &cobra.Command{
		Use: "trigger --endpoint whk_… --event TYPE", Short: "Send a test event to an endpoint", Args: cobra.NoArgs,
		Long: "Sends a synthetic event, signed with the endpoint's real secret and marked data.test: true.\nREPRISE_URL and REPRISE_API_KEY say where and as whom.",
		RunE: withClient(func(cmd *cobra.Command, c *client, _ []string) error {
			if endpoint == "" {
				return fmt.Errorf("--endpoint must be the id of an endpoint (%w)", errUsage)
			}
			body := map[string]string{}
			if eventType != "" {
				body["event"] = eventType
			}
			return c.showRaw(cmd, http.MethodPost, "/api/v1/endpoints/"+url.PathEscape(endpoint)+"/test-fire", body)
		}),
	}
	trigger.Flags().StringVar(&endpoint, "endpoint", "", "id of the endpoint")
	trigger.Flags().StringVar(&eventType, "event", "", "event type, such as invoice.paid")
	return trigger
}

// replayed is what the replay of an event made.
type replayed struct {
	Deliveries []delivery `json:"deliveries"`
}

func replayEventCommand() *cobra.Command {
	var endpoints []string
	var raw bool
	replay := &cobra.Command{
		Use: "replay evt_…", Short: "Send an event again: to the endpoints that match it now, or to those that are named", Args: cobra.ExactArgs(1),
		Example: "  reprise events replay evt_…\n  reprise events replay evt_… --endpoint whk_… --endpoint whk_…",
		RunE: withClient(func(cmd *cobra.Command, c *client, args []string) error {
			body := map[string]any{}
			if cmd.Flags().Changed("endpoint") {
				body["endpoint_ids"] = endpoints
			}
			return show(cmd, c, http.MethodPost, "/api/v1/events/"+url.PathEscape(args[0])+"/replay", body, raw, func(w io.Writer, made *replayed) error {
				if len(made.Deliveries) == 0 {
					return fmt.Errorf("no endpoint takes this event now, so nothing was sent; --endpoint says where to")
				}
				return writeDeliveries(w, made.Deliveries)
			})
		}),
	}
	replay.Flags().StringSliceVar(&endpoints, "endpoint", nil, "id of an endpoint to send to, whatever its filter; may be repeated (default: every endpoint that matches now)")
	jsonFlag(replay, &raw)
	return replay
}
