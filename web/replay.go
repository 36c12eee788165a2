package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

func replayCommand() *cobra.Command {
	replay := &cobra.Command{
		Use: "replay", Short: "Send what was received again, in bulk",
		Long: "Replay jobs of a running server. REPRISE_URL and REPRISE_API_KEY say where and as whom.\n\n" +
			"Commands that watch a job end with 0 when all was delivered, 2 when it is done and deliveries failed,\n" +
			"3 when it is paused, 4 when it was cancelled or failed, and 1 for any other error.",
		Example: "  reprise replay plan --endpoint whk_… --source src_… --from 2026-03-01T00:00:00Z --to 2026-03-01T12:00:00Z --rate 20\n" +
			"  reprise replay start rpl_…\n  reprise replay failed rpl_… --replay",
	}
	replay.AddCommand(planCommand(), startCommand(), statusCommand(), pauseCommand(), resumeCommand(), cancelCommand(), rateCommand(), failedCommand())
	return replay
}

func planCommand() *cobra.Command {
	var wanted selection
	var raw bool
	cmd := &cobra.Command{
		Use: "plan", Short: "Say what a replay would do, exactly, and do nothing", Args: cobra.NoArgs,
		RunE: withClient(func(cmd *cobra.Command, c *client, _ []string) error {
			body, err := wanted.body(cmd.Flags(), true)
			if err != nil {
				return err
			}
			answer, err := c.call(cmd.Context(), http.MethodPost, replaysPath, body)
			if err != nil {
				return err
			}
			var made struct{ Data job }
			if err := json.Unmarshal(answer, &made); err != nil {
				return err
			}
			j := &made.Data
			if j.planning() {
				planned := func(j *job) bool { return !j.planning() }
				if j, err = c.until(cmd.Context(), cmd.ErrOrStderr(), j.ID, planned); err != nil {
					return err
				}
				if answer, err = c.call(cmd.Context(), http.MethodGet, replayPath(j.ID, ""), nil); err != nil {
					return err
				}
			}
			if raw {
				return writeRaw(cmd, answer)
			}
			if err := j.writePlan(cmd.OutOrStdout()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nNothing was sent. To do exactly this:\n  reprise replay start %s\n", j.ID)
			return err
		}),
	}
	wanted.flags(cmd.Flags())
	jsonFlag(cmd, &raw)
	return cmd
}

func startCommand() *cobra.Command {
	var wanted selection
	var detach bool
	cmd := &cobra.Command{
		Use: "start [rpl_…]", Short: "Start a plan, or plan and start at once, and watch it", Args: cobra.MaximumNArgs(1),
		RunE: withClient(func(cmd *cobra.Command, c *client, args []string) error {
			path, body := replaysPath, map[string]any{}
			if len(args) == 1 {
				if wanted.given(cmd.Flags()) {
					return fmt.Errorf("a plan is started as it is; leave out the selection (%w)", errUsage)
				}
				path = replayPath(args[0], "/start")
			} else {
				var err error
				if body, err = wanted.body(cmd.Flags(), false); err != nil {
					return err
				}
			}
			var j job
			if err := c.data(cmd.Context(), http.MethodPost, path, body, &j); err != nil {
				return err
			}
			return c.watch(cmd, &j, detach)
		}),
	}
	wanted.flags(cmd.Flags())
	detachFlag(cmd, &detach)
	return cmd
}

func statusCommand() *cobra.Command {
	var raw, follow bool
	cmd := &cobra.Command{
		Use: "status [rpl_…]", Short: "Show a job, or the newest ones", Args: cobra.MaximumNArgs(1),
		RunE: withClient(func(cmd *cobra.Command, c *client, args []string) error {
			switch {
			case len(args) == 0 && raw:
				return c.showRaw(cmd, http.MethodGet, replaysPath, nil)
			case len(args) == 0:
				var jobs []job
				if err := c.data(cmd.Context(), http.MethodGet, replaysPath, nil, &jobs); err != nil {
					return err
				}
				return writeJobs(cmd.OutOrStdout(), jobs)
			case follow:
				return c.watch(cmd, &job{ID: args[0]}, false)
			}
			return show(cmd, c, http.MethodGet, replayPath(args[0], ""), nil, raw, func(w io.Writer, j *job) error { return j.write(w) })
		}),
	}
	jsonFlag(cmd, &raw)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "watch it until it is done or paused")
	return cmd
}

func pauseCommand() *cobra.Command { return actCommand("pause", "Pause a job") }
func cancelCommand() *cobra.Command {
	return actCommand("cancel", "End a job; what waits is discarded")
}

// actCommand is a command that changes a job and shows it.
func actCommand(act, short string) *cobra.Command {
	return &cobra.Command{
		Use: act + " rpl_…", Short: short, Args: cobra.ExactArgs(1),
		RunE: withClient(func(cmd *cobra.Command, c *client, args []string) error {
			return show(cmd, c, http.MethodPost, replayPath(args[0], "/"+act), map[string]any{}, false, func(w io.Writer, j *job) error { return j.write(w) })
		}),
	}
}

func resumeCommand() *cobra.Command {
	var detach bool
	cmd := &cobra.Command{
		Use: "resume rpl_…", Short: "Go on with a paused job, and watch it", Args: cobra.ExactArgs(1),
		RunE: withClient(func(cmd *cobra.Command, c *client, args []string) error {
			var j job
			if err := c.data(cmd.Context(), http.MethodPost, replayPath(args[0], "/resume"), map[string]any{}, &j); err != nil {
				return err
			}
			return c.watch(cmd, &j, detach)
		}),
	}
	detachFlag(cmd, &detach)
	return cmd
}

func rateCommand() *cobra.Command {
	var rate int
	cmd := &cobra.Command{
		Use: "rate rpl_… --rate N", Short: "Change the rate of a job", Args: cobra.ExactArgs(1),
		RunE: withClient(func(cmd *cobra.Command, c *client, args []string) error {
			return show(cmd, c, http.MethodPatch, replayPath(args[0], ""), map[string]any{"rate_limit": rate}, false, func(w io.Writer, j *job) error { return j.write(w) })
		}),
	}
	cmd.Flags().IntVar(&rate, "rate", 0, "deliveries a second")
	return cmd
}

func failedCommand() *cobra.Command {
	var again, detach bool
	var export string
	cmd := &cobra.Command{
		Use: "failed rpl_…", Short: "Show why deliveries of a job failed, or replay only these", Args: cobra.ExactArgs(1),
		RunE: withClient(func(cmd *cobra.Command, c *client, args []string) error {
			switch {
			case again && export != "":
				return fmt.Errorf("--replay and --export exclude each other (%w)", errUsage)
			case export == "csv" || export == "jsonl":
				return c.copy(cmd.Context(), http.MethodGet, replayPath(args[0], "/export?status=failed&format="+export), nil, cmd.OutOrStdout())
			case export != "":
				return fmt.Errorf("--export must be csv or jsonl (%w)", errUsage)
			case again:
				var j job
				if err := c.data(cmd.Context(), http.MethodPost, replayPath(args[0], "/replay-failed"), map[string]any{}, &j); err != nil {
					return err
				}
				return c.watch(cmd, &j, detach)
			}
			var groups []failureRow
			if err := c.data(cmd.Context(), http.MethodGet, replayPath(args[0], "/failures"), nil, &groups); err != nil {
				return err
			}
			return writeFailures(cmd.OutOrStdout(), groups)
		}),
	}
	cmd.Flags().BoolVar(&again, "replay", false, "replay what failed, and nothing else")
	cmd.Flags().StringVar(&export, "export", "", "write the failed deliveries as csv or jsonl")
	detachFlag(cmd, &detach)
	return cmd
}

func jsonFlag(cmd *cobra.Command, raw *bool) {
	cmd.Flags().BoolVar(raw, "json", false, "print the server's answer as JSON")
}

func detachFlag(cmd *cobra.Command, detach *bool) {
	cmd.Flags().BoolVarP(detach, "detach", "d", false, "print the job's id and do not watch it")
}

// withClient is a command that calls a running server.
func withClient(run func(*cobra.Command, *client, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := newClient()
		if err != nil {
			return err
		}
		return run(cmd, c, args)
	}
}

// show makes a call and writes what it answers with.
func show[T any](cmd *cobra.Command, c *client, method, path string, body any, raw bool, write func(io.Writer, *T) error) error {
	if raw {
		return c.showRaw(cmd, method, path, body)
	}
	var out T
	if err := c.data(cmd.Context(), method, path, body, &out); err != nil {
		return err
	}
	return write(cmd.OutOrStdout(), &out)
}

func (c *client) showRaw(cmd *cobra.Command, method, path string, body any) error {
	answer, err := c.call(cmd.Context(), method, path, body)
	if err != nil {
		return err
	}
	return writeRaw(cmd, answer)
}

func writeRaw(cmd *cobra.Command, answer []byte) error {
	var shown bytes.Buffer
	if err := json.Indent(&shown, answer, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), shown.String())
	return err
}

// watch shows a job's progress until it is at rest, and says how it ended.
func (c *client) watch(cmd *cobra.Command, j *job, detach bool) error {
	w := cmd.OutOrStdout()
	if detach {
		_, err := fmt.Fprintln(w, j.ID)
		return err
	}
	if _, err := fmt.Fprintln(w, j.ID); err != nil {
		return err
	}
	end, err := c.follow(cmd.Context(), w, j.ID)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("no longer watching; the job goes on, `reprise replay status -f %s` shows it again", j.ID)
	}
	if err != nil {
		return err
	}
	return end.outcome()
}
