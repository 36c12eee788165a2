package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

const deadLettersPath = "/api/v1/dead-letters"

func deadLettersCommand() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use: "dead-letters", Short: "List dead letters by endpoint and cause, or discard a group of them", Args: cobra.NoArgs,
		Long: "Dead letters of a running server, without those that were replayed since.\n" +
			"REPRISE_URL and REPRISE_API_KEY say where and as whom.",
		Example: "  reprise dead-letters\n" +
			"  reprise replay start --delivery-status failed --delivery-endpoint whk_… --cause http_500\n" +
			"  reprise dead-letters discard --endpoint whk_… --cause http_500 --reason \"the shop is gone\"",
		RunE: withClient(func(cmd *cobra.Command, c *client, _ []string) error {
			return show(cmd, c, http.MethodGet, deadLettersPath, nil, raw, func(w io.Writer, groups *[]deadGroup) error {
				return writeDeadGroups(w, *groups)
			})
		}),
	}
	jsonFlag(cmd, &raw)
	cmd.AddCommand(discardGroupCommand())
	return cmd
}

func discardGroupCommand() *cobra.Command {
	var endpoint, cause, reason string
	var raw bool
	cmd := &cobra.Command{
		Use: "discard --endpoint whk_… --cause CAUSE --reason TEXT", Short: "Give up on the dead letters of one endpoint and cause", Args: cobra.NoArgs,
		RunE: withClient(func(cmd *cobra.Command, c *client, _ []string) error {
			switch {
			case endpoint == "":
				return fmt.Errorf("--endpoint must be the id of an endpoint (%w)", errUsage)
			case cause == "":
				return fmt.Errorf("--cause must be a cause, as `reprise dead-letters` calls it (%w)", errUsage)
			case reason == "":
				return fmt.Errorf("--reason must say why, for the audit log (%w)", errUsage)
			}
			body := map[string]any{"endpoint_id": endpoint, "cause": cause, "reason": reason}
			return show(cmd, c, http.MethodPost, deadLettersPath+"/discard", body, raw, func(w io.Writer, done *discarded) error {
				_, err := fmt.Fprintf(w, "Discarded: %s\n", grouped(done.Count))
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&endpoint, "endpoint", "", "id of the endpoint")
	cmd.Flags().StringVar(&cause, "cause", "", "the `cause`, as 'reprise dead-letters' calls it")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the audit log")
	jsonFlag(cmd, &raw)
	return cmd
}

// discarded is how many dead letters were given up.
type discarded struct {
	Count int64 `json:"discarded"`
}

// deadGroup are the dead letters of one endpoint that look alike.
type deadGroup struct {
	EndpointID string `json:"endpoint_id"`
	Endpoint   string `json:"endpoint_name"`
	Cause      string `json:"cause"`
	Example    string `json:"example"`
	Count      int64  `json:"count"`
	Oldest     string `json:"oldest_at"`
	Newest     string `json:"newest_at"`
}

func writeDeadGroups(w io.Writer, groups []deadGroup) error {
	if len(groups) == 0 {
		_, err := fmt.Fprintln(w, "There are no dead letters.")
		return err
	}
	rows := [][]string{{"COUNT", "ENDPOINT", "NAME", "CAUSE", "OLDEST", "NEWEST", "EXAMPLE"}}
	for _, g := range groups {
		rows = append(rows, []string{grouped(g.Count), g.EndpointID, shortened(g.Endpoint), g.Cause, g.Oldest, g.Newest, shortened(g.Example)})
	}
	return table(w, rows)
}
