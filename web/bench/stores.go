package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reprise-dev/reprise/db/dbtest"
)

// stores are where what is measured keeps its things: directories, and a
// PostgreSQL and a Redis if there are any. All share them, so that all meet the
// same disk and the same servers.
type stores struct {
	dir             string
	postgres, redis *dbtest.Server
	places          int
}

// place is an empty part of the stores for one.
type place struct {
	dir             string
	database, redis string // URLs, if there are servers
}

func startStores(storage string) (s *stores, err error) {
	s = &stores{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "reprise-bench-"); err != nil {
		return s, err
	}
	switch storage {
	case "embedded":
		return s, nil
	case "postgres":
		if s.postgres, err = dbtest.StartPostgres(dbtest.Durable); err != nil {
			return s, err
		}
		s.redis, err = dbtest.StartRedis()
		return s, err
	}
	return s, fmt.Errorf("%s is neither embedded nor postgres", storage)
}

func (s *stores) place() (place, error) {
	s.places++
	p := place{dir: filepath.Join(s.dir, fmt.Sprint(s.places))}
	if err := os.Mkdir(p.dir, 0o700); err != nil || s.postgres == nil {
		return p, err
	}
	var err error
	p.database, err = s.postgres.Database(fmt.Sprintf("bench%d", s.places))
	p.redis = fmt.Sprintf("%s/%d", s.redis.URL, s.places)
	return p, err
}

// procs are the processes of the servers.
func (s *stores) procs() processes {
	if s.postgres == nil {
		return nil
	}
	return processes{"postgres": s.postgres.PID, "redis": s.redis.PID}
}

// season makes PostgreSQL write into the log files that it has, as it does
// from its first checkpoint on, minutes after it was made: until then it makes
// a new file for every 16 MB, and whoever commits meanwhile waits for that.
func (s *stores) season() error {
	if s.postgres == nil {
		return nil
	}
	return s.postgres.Checkpoint()
}

func (s *stores) stop() error {
	for _, server := range []*dbtest.Server{s.postgres, s.redis} {
		if server != nil {
			server.Stop()
		}
	}
	return os.RemoveAll(s.dir)
}
