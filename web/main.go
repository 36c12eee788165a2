package main

import (
	"context"
	"errors"
	"fmt"
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
		fmt.Fprintln(os.Stderr, "reprise:", strings.ReplaceAll(err.Error(), "\n", "\n  "))
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
	environ := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		environ[name] = value
	}
	cfg, err := LoadConfig(environ)
	if err != nil {
		return cfg, nil, fmt.Errorf("the settings are not usable:\n%w", err)
	}
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if cfg.LogFormat == "json" {
		handler = slog.NewJSONHandler(os.Stderr, options)
	}
	log := slog.New(handler)
	slog.SetDefault(log)
	return cfg, log, nil
}

var errUsage = errors.New("see --help")
