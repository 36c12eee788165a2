package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "dev"

// clockError is set by builds for tests: how far their clock is off, such as 20s.
var clockError string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	if err := root.ExecuteContext(ctx); err != nil {
		last := newLogWriter(os.Stderr, slog.New(slog.DiscardHandler))
		fmt.Fprintln(last, "reprise:", strings.ReplaceAll(err.Error(), "\n", "\n  "))
		last.flush()
		os.Exit(exitStatus(err))
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "reprise",
		Short:         "Receive webhooks, keep them, relay them, and replay any of them",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommands()...)
	root.AddCommand(migrateCommand(), usersCommand(), projectsCommand(), keysCommand(), endpointsCommand(), eventsCommand(), deliveriesCommand(), deadLettersCommand(), replayCommand(), retentionCommand(), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "reprise", version)
			return err
		},
	}
}

// settings reads the environment and makes the logger that it asks for.
func settings() (Config, *slog.Logger, error) {
	cfg, err := readSettings()
	if err != nil {
		return cfg, nil, err
	}
	log := slog.New(logHandler(cfg, os.Stderr))
	slog.SetDefault(log)
	return cfg, log, nil
}

// servingSettings is settings for a process that does not wait for whoever reads its
// log; flush does, for a moment.
func servingSettings() (cfg Config, log *slog.Logger, flush func(), err error) {
	if cfg, err = readSettings(); err != nil {
		return cfg, nil, nil, err
	}
	lines := newLogWriter(os.Stderr, slog.New(logHandler(cfg, os.Stderr)))
	log = slog.New(logHandler(cfg, lines))
	slog.SetDefault(log)
	return cfg, log, lines.flush, nil
}

func readSettings() (Config, error) {
	environ := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		environ[name] = value
	}
	cfg, err := LoadConfig(environ)
	if err != nil {
		return cfg, fmt.Errorf("the settings are not usable:\n%w", err)
	}
	return cfg, nil
}

func logHandler(cfg Config, to io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.NewJSONHandler(to, options)
	}
	return slog.NewTextHandler(to, options)
}

var errUsage = errors.New("see --help")
