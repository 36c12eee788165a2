package main

import (
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func deliveriesCommand() *cobra.Command {
	var reason string
	deliveries := &cobra.Command{
		Use: "deliveries", Short: "Retry, replay or discard one delivery",
		Long: "Deliveries of a running server. REPRISE_URL and REPRISE_API_KEY say where and as whom.",
	}
	nothing := func() any { return map[string]any{} }
	discard := deliveryCommand("discard", "Give up on a delivery that is not final, or put away a dead letter", func() any {
		return map[string]any{"reason": reason}
	})
	discard.Flags().StringVar(&reason, "reason", "", "why, for the audit log")
	deliveries.AddCommand(
		deliveryCommand("retry", "Start the same delivery over, now", nothing),
		deliveryCommand("replay", "Make a new delivery of the same event to the same endpoint", nothing),
		discard,
	)
	return deliveries
}

// thingCommand is a command that does something to one thing, called by its
// id, and shows what came of it.
func thingCommand[T any](act, id, short, path string, body func() any, write func(io.Writer, *T) error) *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use: act + " " + id, Short: short, Args: cobra.ExactArgs(1),
		RunE: withClient(func(cmd *cobra.Command, c *client, args []string) error {
			return show(cmd, c, http.MethodPost, path+"/"+url.PathEscape(args[0])+"/"+act, body(), raw, write)
		}),
	}
	jsonFlag(cmd, &raw)
	return cmd
}

// deliveryCommand is a command that does something to a delivery and shows
// what came of it.
func deliveryCommand(act, short string, body func() any) *cobra.Command {
	return thingCommand(act, "wdl_…", short, "/api/v1/deliveries", body, func(w io.Writer, d *delivery) error {
		return writeDeliveries(w, []delivery{*d})
	})
}

// delivery is a delivery as the API shows it.
type delivery struct {
	ID            string `json:"id"`
	EventID       string `json:"event_id"`
	EndpointID    string `json:"endpoint_id"`
	Status        string `json:"status"`
	DiscardReason string `json:"discard_reason"`
}

func writeDeliveries(w io.Writer, deliveries []delivery) error {
	rows := [][]string{{"DELIVERY", "STATUS", "EVENT", "ENDPOINT"}}
	for _, d := range deliveries {
		status := d.Status
		if d.DiscardReason != "" {
			status += ": " + shortened(d.DiscardReason)
		}
		rows = append(rows, []string{d.ID, status, d.EventID, d.EndpointID})
	}
	return table(w, rows)
}
