package db

import (
	"errors"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// TestOpenUpgrades opens a database that version 0001 made and used.
func TestOpenUpgrades(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		old := openStore(t, sqldb.Options{URL: url})
		exec(t, old, "ALTER TABLE idempotency_keys DROP COLUMN location")
		job, pairs := old.oldPairs(t)
		exec(t, old, "DELETE FROM schema_migrations WHERE name > '0001'")
		caller, hash := relay.NewID(), []byte("hash")
		exec(t, old, `INSERT INTO idempotency_keys (caller, key, request_hash, status, content_type, body, created_at, expires_at)
			VALUES (?, 'k', ?, 202, 'text/plain', ?, ?, ?)`, caller, hash, old.Box.Seal([]byte("done"), "idempotency_keys", caller),
			sqldb.Micros(old.Now()), sqldb.Micros(old.Now().Add(time.Hour)))
		check(t, old.Close())
		if err := tryOpen(t, sqldb.Options{URL: url}); !errors.Is(err, sqldb.ErrOutdated) {
			t.Errorf("without its migration: %v", err)
		}
		now := openStore(t, sqldb.Options{URL: url})
		var row replays.ReplayRow
		check(t, now.R.NewSelect().Model(&row).Where("id = ?", job).Scan(t.Context()))
		left, all, err := now.NextPairs(t.Context(), &row, 10)
		check(t, err)
		equal(t, "all that is left", all, true)
		equal(t, "pairs", len(left), 2)
		for i, p := range left { // the first one was sent before
			equal(t, "pair", replays.PairID{Event: p.Event, Endpoint: p.Endpoint}, pairs[i+1])
		}
		again, err := now.BeginIdempotent(t.Context(), caller, "k", hash)
		check(t, err)
		equal(t, "answer", string(again.Body), "done")
		equal(t, "location", again.Location, "")
	})
}

// oldPairs makes a replay job as version 0001 left it, which has sent the first of
// its three pairs.
func (s *Store) oldPairs(t *testing.T) (job relay.ID, pairs [3]replays.PairID) {
	exec(t, s, "DROP TABLE replay_pairs")
	exec(t, s, "CREATE TABLE replay_items AS SELECT id AS replay_id, id AS event_id, id AS endpoint_id FROM replays WHERE 1 = 0")
	exec(t, s, "ALTER TABLE replays DROP COLUMN planning")
	exec(t, s, "ALTER TABLE replays DROP COLUMN cursor_part")
	job = relay.NewID()
	for i := range pairs {
		pairs[i] = replays.PairID{Event: relay.NewIDAt(time.UnixMilli(int64(i))), Endpoint: relay.NewID()}
		exec(t, s, "INSERT INTO replay_items (replay_id, event_id, endpoint_id) VALUES (?, ?, ?)", job, pairs[i].Event, pairs[i].Endpoint)
	}
	exec(t, s, `INSERT INTO replays (id, project_id, status, reason, selection, targets, plan, all_matching, ignore_filter, skip_delivered, backfill,
		rate_limit, max_events, canary, canary_passed, brake, brake_from, note, lower_id, upper_id, walk_end, cursor_event, cursor_endpoint, page, total,
		made, skipped_delivered, skipped_gone, drained, settling, created_by, created_at, updated_at)
		VALUES (?, ?, 'planned', '', '{}', '[]', '{}', ?, ?, ?, ?, 1, 0, 0, ?, 0, ?, '', ?, ?, ?, ?, ?, 1, 3, 1, 0, 0, ?, ?, '', 1, 1)`,
		job, relay.NewID(), false, false, false, false, false, sqldb.ZeroID(), sqldb.ZeroID(), sqldb.ZeroID(), sqldb.ZeroID(), pairs[0].Event, pairs[0].Endpoint, false, false)
	return job, pairs
}
