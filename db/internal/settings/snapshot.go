package settings

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// configPoll is how often the version of the configuration is read, to see
// what other processes changed. Changes of this process are seen at once.
const configPoll = 500 * time.Millisecond

// Snapshot is the configuration at one moment: every source and endpoint with
// its secrets opened. It never changes; callers must not change what it holds.
type Snapshot struct {
	version   int64
	slugs     map[string]*relay.Source
	sources   map[relay.ID]*relay.Source
	endpoints map[relay.ID]*relay.Endpoint
	byProject map[relay.ID][]*relay.Endpoint
	sourcesOf map[relay.ID][]*relay.Source
	deleted   map[relay.ID]bool
}

// Config is the present configuration.
func (s *Store) Config() *Snapshot { return s.Current.Load() }

// SourceBySlug finds the source of an ingest URL.
func (c *Snapshot) SourceBySlug(slug string) (*relay.Source, bool) {
	src, ok := c.slugs[slug]
	return src, ok
}

// Source finds a source of any project.
func (c *Snapshot) Source(id relay.ID) (*relay.Source, bool) {
	src, ok := c.sources[id]
	return src, ok
}

// Endpoint finds an endpoint of any project.
func (c *Snapshot) Endpoint(id relay.ID) (*relay.Endpoint, bool) {
	e, ok := c.endpoints[id]
	return e, ok
}

// SourcesOf lists a project's sources, oldest first.
func (c *Snapshot) SourcesOf(project relay.ID) []*relay.Source { return c.sourcesOf[project] }

// EndpointsOf lists a project's endpoints, oldest first.
func (c *Snapshot) EndpointsOf(project relay.ID) []*relay.Endpoint { return c.byProject[project] }

// Deleted reports whether an endpoint existed and was deleted.
func (c *Snapshot) Deleted(endpoint relay.ID) bool { return c.deleted[endpoint] }

// ChangeConfig is writeAudited for what the snapshot holds: it raises the
// version in the same transaction and returns after the new configuration is
// in force in this process.
func (s *Store) ChangeConfig(ctx context.Context, entry relay.AuditEntry, fn func(ctx context.Context, tx bun.Tx) error) error {
	err := s.WriteAudited(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE meta SET number = number + 1 WHERE name = 'config_version'")
		return err
	})
	if err != nil {
		return err
	}
	return s.ReloadConfig(context.WithoutCancel(ctx))
}

func (s *Store) watchConfig(ctx context.Context) {
	tick := time.NewTicker(configPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.RefreshConfig(ctx); err != nil && ctx.Err() == nil {
			s.Log.Debug("reading the configuration", "error", err)
		}
	}
}

// RefreshConfig reads the configuration again if it has changed.
func (s *Store) RefreshConfig(ctx context.Context) error {
	version, err := s.configVersion(ctx, s.R)
	if err != nil || version == s.Config().version {
		return err
	}
	return s.ReloadConfig(ctx)
}

// everySecond lets something through once a second.
type everySecond struct{ last atomic.Int64 }

func (e *everySecond) allow(now time.Time) bool {
	last := e.last.Load()
	return now.UnixNano()-last >= int64(time.Second) && e.last.CompareAndSwap(last, now.UnixNano())
}

// configChanged looks at once whether another process has changed the
// configuration, for what is asked for and not found may be quite new.
func (s *Store) configChanged() bool {
	if !s.PG {
		return false // other processes on SQLite are commands, which change no configuration
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	version, err := s.configVersion(ctx, s.R)
	return err == nil && version != s.Config().version && s.ReloadConfig(ctx) == nil
}

// SourceBySlug finds the source of an ingest URL, also one that another
// process has just made. Strangers may ask for what is not there as often as they
// like: that costs the database one query a second.
func (s *Store) SourceBySlug(slug string) (*relay.Source, bool) {
	src, ok := s.Config().SourceBySlug(slug)
	if !ok && s.unknownSlugs.allow(time.Now()) && s.configChanged() {
		src, ok = s.Config().SourceBySlug(slug)
	}
	return src, ok
}

func (s *Store) configVersion(ctx context.Context, idb bun.IDB) (int64, error) {
	var version int64
	err := idb.NewSelect().TableExpr("meta").Column("number").Where("name = 'config_version'").Scan(ctx, &version)
	return version, sqldb.Translate(err)
}

// ReloadConfig reads everything again. The version is read first: a change
// that slips in between is read now and once more at the next poll.
func (s *Store) ReloadConfig(ctx context.Context) error {
	select {
	case s.reading <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.reading }()
	version, err := s.configVersion(ctx, s.R)
	if err != nil {
		return err
	}
	c := &Snapshot{
		version: version, slugs: map[string]*relay.Source{}, sources: map[relay.ID]*relay.Source{},
		endpoints: map[relay.ID]*relay.Endpoint{}, byProject: map[relay.ID][]*relay.Endpoint{},
		sourcesOf: map[relay.ID][]*relay.Source{}, deleted: map[relay.ID]bool{},
	}
	sources, err := s.loadSources(ctx)
	if err != nil {
		return err
	}
	for _, src := range sources {
		c.sources[src.ID], c.slugs[src.Slug] = src, src
		c.sourcesOf[src.ProjectID] = append(c.sourcesOf[src.ProjectID], src)
	}
	endpoints, deleted, err := s.loadEndpoints(ctx)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		c.endpoints[e.ID] = e
		c.byProject[e.ProjectID] = append(c.byProject[e.ProjectID], e)
	}
	for _, id := range deleted {
		c.deleted[id] = true
	}
	s.Current.Store(c)
	return nil
}

func (s *Store) loadSources(ctx context.Context) ([]*relay.Source, error) {
	var rows []sourceRow
	if err := s.R.NewSelect().Model(&rows).Order("id").Scan(ctx); err != nil {
		return nil, sqldb.Translate(err)
	}
	out := make([]*relay.Source, len(rows))
	for i := range rows {
		src, err := s.openSource(&rows[i])
		if err != nil {
			s.tellUnreadable("source", relay.PrefixSource.Format(rows[i].ID), err)
			src = rows[i].plain()
			src.Unreadable = true
		}
		out[i] = src
	}
	return out, nil
}

func (s *Store) loadEndpoints(ctx context.Context) (live []*relay.Endpoint, deleted []relay.ID, err error) {
	var rows []EndpointRow
	if err := s.R.NewSelect().Model(&rows).Order("id").Scan(ctx); err != nil {
		return nil, nil, sqldb.Translate(err)
	}
	var secrets []SecretRow
	if err := s.R.NewSelect().Model(&secrets).Order("id").Scan(ctx); err != nil {
		return nil, nil, sqldb.Translate(err)
	}
	byEndpoint := map[relay.ID][]SecretRow{}
	for _, r := range secrets {
		byEndpoint[r.EndpointID] = append(byEndpoint[r.EndpointID], r)
	}
	for i := range rows {
		if rows[i].DeletedAt != 0 {
			deleted = append(deleted, rows[i].ID)
			continue
		}
		e, err := s.openEndpoint(&rows[i], byEndpoint[rows[i].ID])
		if err != nil {
			s.tellUnreadable("endpoint", relay.PrefixEndpoint.Format(rows[i].ID), err)
			e = rows[i].plain()
			e.Status, e.PauseReason = relay.EndpointPaused, unreadableEndpoint
		}
		live = append(live, e)
	}
	return live, deleted, nil
}

// unreadableEndpoint is why an endpoint is paused whose secrets cannot be read.
const unreadableEndpoint = "Its secrets cannot be read with this REPRISE_SECRET_KEY, so its deliveries wait."

// tellUnreadable says once of a row that it cannot be read. Everything else works
// on: one project's row is not the affair of the others.
func (s *Store) tellUnreadable(kind, id string, err error) {
	if _, told := s.unreadable.LoadOrStore(id, true); !told {
		s.Log.Error("a "+kind+" cannot be read; webhooks to it are refused and deliveries of it wait", "id", id, "error", err)
	}
}

// Unreadable names the sources and endpoints of a project that cannot be read.
func (c *Snapshot) Unreadable(project relay.ID) (names []string) {
	for _, src := range c.sourcesOf[project] {
		if src.Unreadable {
			names = append(names, src.Name)
		}
	}
	for _, e := range c.byProject[project] {
		if e.PauseReason == unreadableEndpoint {
			names = append(names, e.Name)
		}
	}
	return names
}

// LongestTimeout is how long a request that was just begun may take.
func (c *Snapshot) LongestTimeout() time.Duration {
	longest := time.Duration(0)
	for _, e := range c.endpoints {
		longest = max(longest, e.HTTPTimeout)
	}
	return longest
}

// Gone reports whether an endpoint gets no new deliveries.
func (c *Snapshot) Gone(endpoint relay.ID) bool {
	e, ok := c.Endpoint(endpoint)
	return !ok || e.Status == relay.EndpointDisabled
}
