package dbtest

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestPostgresGivesEachCallADatabase(t *testing.T) {
	t.Parallel()
	for _, server := range []string{Postgres(t), Postgres(t)} {
		conn, err := pgx.Connect(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(t.Context(), "CREATE TABLE one (id int)"); err != nil {
			t.Error(err)
		}
	}
}

func TestRedisGivesEachCallADatabase(t *testing.T) {
	t.Parallel()
	first, second := Redis(t), Redis(t)
	if first == second {
		t.Fatalf("the same database twice: %s", first)
	}
	number := first[strings.LastIndex(first, "/")+1:]
	if reply, err := ask(first, "SELECT "+number, "SET a b", "DBSIZE"); err != nil || reply != ":1" {
		t.Errorf("DBSIZE = %s, %v", reply, err)
	}
	number = second[strings.LastIndex(second, "/")+1:]
	if reply, err := ask(second, "SELECT "+number, "DBSIZE"); err != nil || reply != ":0" {
		t.Errorf("the second database has %s keys, %v", reply, err)
	}
}

func TestStopEndsTheServerAndRemovesItsFiles(t *testing.T) {
	t.Parallel()
	redis, err := StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	redis.Stop()
	if err := syscall.Kill(redis.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", redis.PID, err)
	}
	if _, err := os.Stat(redis.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", redis.dir, err)
	}
}

func TestHaltedServerGoesOnWithItsFiles(t *testing.T) {
	t.Parallel()
	redis, err := StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Stop()
	if _, err := ask(redis.URL, "SET a b", "SAVE"); err != nil {
		t.Fatal(err)
	}
	first := redis.PID
	if err := redis.Halt("KILL"); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(redis.URL, "PING"); err == nil || !errors.Is(syscall.Kill(first, 0), syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", first, err)
	}
	if err := redis.Again(); err != nil {
		t.Fatal(err)
	}
	if reply, err := ask(redis.URL, "DBSIZE"); err != nil || reply != ":1" {
		t.Errorf("DBSIZE = %s, %v", reply, err)
	}
}

func TestMissingProgramIsASentence(t *testing.T) {
	t.Parallel()
	_, err := program("no-such-program", "Nothing")
	if err == nil || !strings.Contains(err.Error(), "install Nothing") {
		t.Errorf("err = %v", err)
	}
}
