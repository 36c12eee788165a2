// Command with runs another command with a PostgreSQL and a Redis server
// beside it, whose addresses it passes in the environment:
//
//	go run ./db/dbtest/with go test ./...
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"github.com/reprise-dev/reprise/db/dbtest"
)

func main() {
	err := run(os.Args[1:])
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: with COMMAND [ARGUMENT…]")
	}
	postgres, err := dbtest.StartPostgres(dbtest.Throwaway)
	if err != nil {
		return err
	}
	defer postgres.Stop()
	redis, err := dbtest.StartRedis()
	if err != nil {
		return err
	}
	defer redis.Stop()
	signal.Ignore(os.Interrupt) // the command gets it too, and its end is ours
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), dbtest.PostgresVar+"="+postgres.URL, dbtest.RedisVar+"="+redis.URL)
	return cmd.Run()
}
