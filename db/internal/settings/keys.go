package settings

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"golang.org/x/sync/singleflight"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

type keyRow struct {
	bun.BaseModel `bun:"table:api_keys"`
	ID            relay.ID `bun:",pk"`
	ProjectID     relay.ID
	Name          string
	Scope         string
	Hint          string
	Hash          []byte
	CreatedAt     int64
	LastUsedAt    int64 `bun:",nullzero"`
	RevokedAt     int64 `bun:",nullzero"`
}

func keyRowOf(k *relay.APIKey) *keyRow {
	return &keyRow{ID: k.ID, ProjectID: k.ProjectID, Name: sqldb.Clean(k.Name), Scope: string(k.Scope), Hint: sqldb.Clean(k.Hint),
		Hash: k.Hash, CreatedAt: sqldb.Micros(k.CreatedAt)}
}

func (r *keyRow) open() relay.APIKey {
	return relay.APIKey{ID: r.ID, ProjectID: r.ProjectID, Name: r.Name, Scope: relay.Scope(r.Scope), Hint: r.Hint, Hash: r.Hash,
		CreatedAt: sqldb.FromMicros(r.CreatedAt), LastUsedAt: sqldb.FromMicros(r.LastUsedAt), RevokedAt: sqldb.FromMicros(r.RevokedAt)}
}

// CreateKey stores a new API key, which is only a hash of it.
func (s *Store) CreateKey(ctx context.Context, k *relay.APIKey, by relay.Actor) error {
	entry := keyEntry(k.ProjectID, k.ID, "api_key.created", by)
	entry.Data = map[string]any{"name": k.Name, "scope": string(k.Scope), "hint": k.Hint}
	defer s.keys.drop()
	return s.WriteAudited(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(keyRowOf(k)).Exec(ctx)
		return err
	})
}

func keyEntry(project, id relay.ID, action string, by relay.Actor) relay.AuditEntry {
	return relay.AuditEntry{ProjectID: project, Actor: by, Action: action, Target: relay.PrefixKey.Format(id)}
}

// EnsureKey stores the API key that the operator's settings name, unless it was
// stored before, and revokes the one that they named before. A key that is no
// longer named at all stays: whoever wants it gone revokes it.
func (s *Store) EnsureKey(ctx context.Context, k *relay.APIKey, by relay.Actor) error {
	const name = "key_of_settings"
	defer s.keys.drop()
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var before [][]byte
		if err := tx.NewSelect().TableExpr("meta").Column("bytes").Where("name = ?", name).Scan(ctx, &before); err != nil {
			return err
		}
		changed := len(before) > 0 && !bytes.Equal(before[0], k.Hash)
		if changed {
			var old []keyRow
			if err := tx.NewSelect().Model(&old).Where("hash = ? AND revoked_at IS NULL", before[0]).Scan(ctx); err != nil {
				return err
			}
			for i := range old {
				_, err := tx.NewUpdate().Model((*keyRow)(nil)).Set("revoked_at = ?", sqldb.Micros(s.Now())).Where("id = ?", old[i].ID).Exec(ctx)
				if err != nil {
					return err
				}
				if err := s.WriteAudit(ctx, tx, keyEntry(old[i].ProjectID, old[i].ID, "api_key.revoked", by)); err != nil {
					return err
				}
			}
		}
		insert := tx.NewInsert().Model(keyRowOf(k))
		if changed { // perhaps back to one that an earlier change revoked
			insert = insert.On("CONFLICT (hash) DO UPDATE").Set("revoked_at = NULL")
		} else {
			insert = insert.On("CONFLICT (hash) DO NOTHING")
		}
		_, err := insert.Exec(ctx)
		if err != nil {
			return err
		}
		return sqldb.SetMeta(ctx, tx, name, 0, k.Hash)
	})
}

// Keys lists a project's API keys, the revoked ones too, newest first.
func (s *Store) Keys(ctx context.Context, project relay.ID, p sqldb.Page) (sqldb.Slice[relay.APIKey], error) {
	var rows []keyRow
	scope := "keys/" + project.Hex()
	q, err := s.After(s.R.NewSelect().Model(&rows).Where("project_id = ?", project), p, scope)
	if err != nil {
		return sqldb.Slice[relay.APIKey]{}, err
	}
	if err := q.Scan(ctx); err != nil {
		return sqldb.Slice[relay.APIKey]{}, sqldb.Translate(err)
	}
	out := make([]relay.APIKey, len(rows))
	for i := range rows {
		out[i] = rows[i].open()
	}
	return sqldb.SliceOf(s.DB, out, p, scope, func(k relay.APIKey) relay.ID { return k.ID }), nil
}

// RevokeKey ends an API key. Other processes learn of it within keyCacheTime.
func (s *Store) RevokeKey(ctx context.Context, project, id relay.ID, by relay.Actor) error {
	entry := keyEntry(project, id, "api_key.revoked", by)
	entry.Data = map[string]any{}
	err := s.WriteAudited(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		var row keyRow
		if err := tx.NewSelect().Model(&row).Where("id = ? AND project_id = ?", id, project).Scan(ctx); err != nil {
			return err
		}
		entry.Data["name"], entry.Data["hint"] = row.Name, row.Hint
		result, err := tx.NewUpdate().Model((*keyRow)(nil)).Set("revoked_at = ?", sqldb.Micros(s.Now())).
			Where("id = ? AND revoked_at IS NULL", id).Exec(ctx)
		if err := sqldb.NeedOne(result, err); errors.Is(err, relay.ErrNotFound) {
			return &relay.Error{Kind: relay.KindConflict, Detail: "The key is revoked already."}
		}
		return err
	})
	s.keys.drop()
	return err
}

const (
	keyCacheTime   = 2 * time.Second
	unknownKeyTime = time.Second
	// lookTime bounds what every request of somebody may have to wait for.
	lookTime     = 2 * time.Second
	keyTouchTime = time.Minute
)

// keyCache holds all live keys as they were just now, and when each was last
// noted as used.
type keyCache struct {
	mu      sync.Mutex
	byHash  map[string]relay.APIKey
	readAt  time.Time // zero: they are to be read
	drops   int
	reading singleflight.Group
	touched map[relay.ID]time.Time
	touches chan relay.ID
}

func newKeyCache() *keyCache {
	return &keyCache{touched: map[relay.ID]time.Time{}, touches: make(chan relay.ID, 64)}
}

func (c *keyCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	c.readAt = time.Time{}
}

// find looks for a key in what is known, and tells whether that is to be believed.
func (c *keyCache) find(hash []byte) (key relay.APIKey, found, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, found = c.byHash[string(hash)]
	age := time.Since(c.readAt)
	return key, found, age < unknownKeyTime || found && age < keyCacheTime
}

// KeyByHash finds a live API key by the hash of what the caller presented. However
// many are presented that are none, the database is asked once a second.
func (s *Store) KeyByHash(_ context.Context, hash []byte) (relay.APIKey, error) {
	key, found, fresh := s.keys.find(hash)
	if !fresh {
		if _, err, _ := s.keys.reading.Do("", s.readKeys); err != nil {
			return relay.APIKey{}, sqldb.Translate(err)
		}
		key, found, _ = s.keys.find(hash)
	}
	if !found {
		return key, relay.ErrNotFound
	}
	return key, nil
}

// KeyLives reports whether a key is not revoked, as far as is known without asking
// the database more often than KeyByHash does.
func (s *Store) KeyLives(id relay.ID) bool {
	if _, _, fresh := s.keys.find(nil); !fresh {
		_, _, _ = s.keys.reading.Do("", s.readKeys) // while the database does not answer, nothing is revoked
	}
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	for _, key := range s.keys.byHash {
		if key.ID == id {
			return true
		}
	}
	return false
}

func (s *Store) readKeys() (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	c, begun := s.keys, time.Now()
	c.mu.Lock()
	drops := c.drops
	c.mu.Unlock()
	var rows []keyRow
	if err := s.R.NewSelect().Model(&rows).Where("revoked_at IS NULL").Scan(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byHash = make(map[string]relay.APIKey, len(rows))
	for i := range rows {
		c.byHash[string(rows[i].Hash)] = rows[i].open()
	}
	if drops == c.drops {
		c.readAt = begun
	}
	return nil, nil
}

// TouchKey notes that a key was used now: in the background, once a minute
// for each key.
func (s *Store) TouchKey(_ context.Context, id relay.ID) {
	c, now := s.keys, s.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.touched[id]; ok && now.Sub(last) < keyTouchTime {
		return
	}
	select {
	case c.touches <- id:
		c.touched[id] = now
	default: // the next use notes it
	}
}

// touchKeys writes what TouchKey notes.
func (s *Store) touchKeys(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-s.keys.touches:
			err := s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewUpdate().Model((*keyRow)(nil)).Set("last_used_at = ?", sqldb.Micros(s.Now())).Where("id = ?", id).Exec(ctx)
				return err
			})
			if err != nil && ctx.Err() == nil {
				s.Log.Debug("noting the use of an API key", "error", err)
			}
		}
	}
}
