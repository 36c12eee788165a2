package sqldb

// schema0001 is the first schema. Hot tables have no foreign keys: the code
// that writes them is one file each, and rows of a deleted source or endpoint
// stay readable.
const schema0001 = `
CREATE TABLE IF NOT EXISTS meta (
	name TEXT PRIMARY KEY, number INT8 NOT NULL DEFAULT 0, bytes BYTES);
INSERT INTO meta (name, number) VALUES ('config_version', 1) ON CONFLICT (name) DO NOTHING;

CREATE TABLE IF NOT EXISTS projects (
	id BYTES PRIMARY KEY, name TEXT NOT NULL, created_at INT8 NOT NULL, updated_at INT8 NOT NULL);
CREATE TABLE IF NOT EXISTS users (
	id BYTES PRIMARY KEY, email TEXT NOT NULL UNIQUE, password_hash TEXT NOT NULL,
	created_at INT8 NOT NULL, last_login_at INT8);
CREATE TABLE IF NOT EXISTS memberships (
	user_id BYTES NOT NULL, project_id BYTES NOT NULL, created_at INT8 NOT NULL,
	PRIMARY KEY (user_id, project_id));
CREATE TABLE IF NOT EXISTS sessions (
	token TEXT PRIMARY KEY, data BYTES NOT NULL, expires_at INT8 NOT NULL);
CREATE INDEX IF NOT EXISTS sessions_expiry ON sessions (expires_at);
CREATE TABLE IF NOT EXISTS api_keys (
	id BYTES PRIMARY KEY, project_id BYTES NOT NULL, name TEXT NOT NULL, scope TEXT NOT NULL,
	hint TEXT NOT NULL, hash BYTES NOT NULL UNIQUE, created_at INT8 NOT NULL, last_used_at INT8, revoked_at INT8);
CREATE INDEX IF NOT EXISTS api_keys_list ON api_keys (project_id, id);

CREATE TABLE IF NOT EXISTS sources (
	id BYTES PRIMARY KEY, project_id BYTES NOT NULL, name TEXT NOT NULL, slug TEXT NOT NULL UNIQUE,
	type TEXT NOT NULL, provider TEXT NOT NULL, verifier BYTES NOT NULL, event_type_location TEXT NOT NULL,
	idempotency_keys TEXT NOT NULL, custom_response TEXT NOT NULL, forward_headers TEXT NOT NULL,
	retention_days INT8 NOT NULL, rate_limit INT8 NOT NULL, is_disabled BOOLEAN NOT NULL,
	created_at INT8 NOT NULL, updated_at INT8 NOT NULL);
CREATE INDEX IF NOT EXISTS sources_list ON sources (project_id, id);

CREATE TABLE IF NOT EXISTS endpoints (
	id BYTES PRIMARY KEY, project_id BYTES NOT NULL, name TEXT NOT NULL, url TEXT NOT NULL,
	description TEXT NOT NULL, source_ids TEXT NOT NULL, event_filter TEXT NOT NULL, status TEXT NOT NULL,
	pause_reason TEXT NOT NULL, retry TEXT NOT NULL, http_timeout INT8 NOT NULL, rate_limit INT8 NOT NULL,
	rate_limit_duration INT8 NOT NULL, max_in_flight INT8 NOT NULL, private BYTES NOT NULL,
	support_email TEXT NOT NULL,
	created_at INT8 NOT NULL, updated_at INT8 NOT NULL, deleted_at INT8);
CREATE INDEX IF NOT EXISTS endpoints_list ON endpoints (project_id, id);
CREATE TABLE IF NOT EXISTS secrets (
	id BYTES PRIMARY KEY, endpoint_id BYTES NOT NULL, sealed BYTES NOT NULL,
	created_at INT8 NOT NULL, expires_at INT8);
CREATE INDEX IF NOT EXISTS secrets_endpoint ON secrets (endpoint_id, id);

CREATE TABLE IF NOT EXISTS events (
	id BYTES NOT NULL, project_id BYTES NOT NULL, source_id BYTES NOT NULL, event_type TEXT NOT NULL,
	status TEXT NOT NULL, signature_valid BOOLEAN NOT NULL, verdict TEXT NOT NULL, idempotency_key TEXT,
	duplicate_of BYTES, is_test BOOLEAN NOT NULL, content_type TEXT NOT NULL, size INT8 NOT NULL,
	received_at INT8 NOT NULL, PRIMARY KEY (project_id, id)) NOROWID;
CREATE INDEX IF NOT EXISTS events_source ON events (project_id, source_id, id);
CREATE INDEX IF NOT EXISTS events_type ON events (project_id, event_type, id);
CREATE INDEX IF NOT EXISTS events_status ON events (project_id, status, id);
CREATE INDEX IF NOT EXISTS events_invalid ON events (project_id, id) WHERE NOT signature_valid;
CREATE INDEX IF NOT EXISTS events_test ON events (project_id, id) WHERE is_test;
CREATE INDEX IF NOT EXISTS events_rejected ON events (source_id, id) WHERE status = 'rejected';
CREATE INDEX IF NOT EXISTS events_key ON events (project_id, idempotency_key, id) WHERE idempotency_key IS NOT NULL;
CREATE TABLE IF NOT EXISTS payloads (
	event_id BYTES PRIMARY KEY, project_id BYTES NOT NULL, method TEXT NOT NULL, query BYTES NOT NULL, ip TEXT NOT NULL,
	headers BYTES NOT NULL, routing BYTES NOT NULL, body BYTES NOT NULL);
CREATE TABLE IF NOT EXISTS dedup_keys (
	source_id BYTES NOT NULL, key TEXT NOT NULL, event_id BYTES NOT NULL, expires_at INT8 NOT NULL,
	seen_at INT8 NOT NULL, PRIMARY KEY (source_id, key)) NOROWID;
CREATE INDEX IF NOT EXISTS dedup_keys_expiry ON dedup_keys (expires_at);

CREATE TABLE IF NOT EXISTS deliveries (
	id BYTES NOT NULL, project_id BYTES NOT NULL, event_id BYTES NOT NULL, endpoint_id BYTES NOT NULL,
	source_id BYTES NOT NULL, event_type TEXT NOT NULL, status TEXT NOT NULL, lane INT8 NOT NULL,
	attempts INT8 NOT NULL, due_at INT8, fence INT8 NOT NULL, lease_until INT8, lease_owner INT8,
	interrupted INT8 NOT NULL, last_response_status INT8, last_response_excerpt TEXT, last_error TEXT,
	delivered_at INT8, event_trigger TEXT NOT NULL, replay_id BYTES, replay_of BYTES, replayed_by BYTES,
	discard_reason TEXT, cause TEXT, created_at INT8 NOT NULL, PRIMARY KEY (project_id, id)) NOROWID;
CREATE INDEX IF NOT EXISTS deliveries_status ON deliveries (project_id, status, id);
CREATE INDEX IF NOT EXISTS deliveries_type ON deliveries (project_id, event_type, id);
CREATE INDEX IF NOT EXISTS deliveries_endpoint ON deliveries (project_id, endpoint_id, id);
CREATE INDEX IF NOT EXISTS deliveries_source ON deliveries (project_id, source_id, id);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event_id, project_id, id);
CREATE UNIQUE INDEX IF NOT EXISTS deliveries_replay ON deliveries (replay_id, event_id, endpoint_id) WHERE replay_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS deliveries_replay_list ON deliveries (replay_id, project_id, id) WHERE replay_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS deliveries_replay_status ON deliveries (replay_id, status, endpoint_id, cause) WHERE replay_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS deliveries_delivered ON deliveries (endpoint_id, event_id, source_id, event_type) WHERE status = 'delivered';
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (endpoint_id, lane, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS deliveries_lease ON deliveries (lease_until, endpoint_id, project_id) WHERE lease_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS deliveries_dead ON deliveries (project_id, id) WHERE status = 'dlq' AND replayed_by IS NULL;
CREATE INDEX IF NOT EXISTS deliveries_dead_endpoint ON deliveries (project_id, endpoint_id, id) WHERE status = 'dlq' AND replayed_by IS NULL;
CREATE INDEX IF NOT EXISTS deliveries_dead_cause ON deliveries (project_id, endpoint_id, cause, created_at) WHERE status = 'dlq' AND replayed_by IS NULL;
CREATE TABLE IF NOT EXISTS attempts (
	delivery_id BYTES NOT NULL, id BYTES NOT NULL, project_id BYTES NOT NULL, event_id BYTES NOT NULL,
	endpoint_id BYTES NOT NULL, number INT8 NOT NULL, outcome TEXT NOT NULL, started_at INT8 NOT NULL,
	duration INT8 NOT NULL, url TEXT NOT NULL, request_headers BYTES NOT NULL, response_status INT8,
	response_headers BYTES NOT NULL, response_body BYTES NOT NULL, truncated BOOLEAN NOT NULL, error TEXT NOT NULL,
	PRIMARY KEY (delivery_id, id)) NOROWID;

POSTGRES ALTER TABLE deliveries SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
POSTGRES ALTER TABLE events SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE IF NOT EXISTS replays (
	id BYTES PRIMARY KEY, project_id BYTES NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
	selection TEXT NOT NULL, targets TEXT NOT NULL, plan TEXT NOT NULL, all_matching BOOLEAN NOT NULL,
	ignore_filter BOOLEAN NOT NULL, skip_delivered BOOLEAN NOT NULL, backfill BOOLEAN NOT NULL,
	rate_limit INT8 NOT NULL, max_events INT8 NOT NULL, canary INT8 NOT NULL, canary_passed BOOLEAN NOT NULL,
	brake INT8 NOT NULL, brake_from BYTES NOT NULL, note TEXT NOT NULL,
	lower_id BYTES NOT NULL, upper_id BYTES NOT NULL, walk_end BYTES NOT NULL,
	cursor_event BYTES NOT NULL, cursor_endpoint BYTES NOT NULL, page INT8 NOT NULL, total INT8 NOT NULL,
	made INT8 NOT NULL, skipped_delivered INT8 NOT NULL, skipped_gone INT8 NOT NULL, drained BOOLEAN NOT NULL,
	settling BOOLEAN NOT NULL, created_by TEXT NOT NULL, created_at INT8 NOT NULL, started_at INT8,
	finished_at INT8, updated_at INT8 NOT NULL);
CREATE INDEX IF NOT EXISTS replays_list ON replays (project_id, id);
CREATE INDEX IF NOT EXISTS replays_status ON replays (project_id, status, id);
CREATE INDEX IF NOT EXISTS replays_open ON replays (id) WHERE finished_at IS NULL OR settling;
CREATE INDEX IF NOT EXISTS replays_finished ON replays (finished_at) WHERE finished_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS replay_items (
	replay_id BYTES NOT NULL, event_id BYTES NOT NULL, endpoint_id BYTES NOT NULL,
	PRIMARY KEY (replay_id, event_id, endpoint_id)) NOROWID;

CREATE TABLE IF NOT EXISTS audit_log (
	id BYTES PRIMARY KEY, project_id BYTES, at INT8 NOT NULL, actor_kind TEXT NOT NULL, actor_id BYTES,
	actor_name TEXT NOT NULL, ip TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS audit_list ON audit_log (project_id, id);
CREATE INDEX IF NOT EXISTS audit_action ON audit_log (project_id, action, id);
CREATE INDEX IF NOT EXISTS audit_actor ON audit_log (project_id, actor_name, id);
CREATE INDEX IF NOT EXISTS audit_actor_id ON audit_log (project_id, actor_id, id) WHERE actor_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS idempotency_keys (
	caller BYTES NOT NULL, key TEXT NOT NULL, request_hash BYTES NOT NULL, status INT8 NOT NULL,
	content_type TEXT NOT NULL, body BYTES NOT NULL, created_at INT8 NOT NULL, expires_at INT8 NOT NULL,
	PRIMARY KEY (caller, key)) NOROWID;
CREATE INDEX IF NOT EXISTS idempotency_expiry ON idempotency_keys (expires_at);

CREATE TABLE IF NOT EXISTS stats (
	project_id BYTES NOT NULL, kind INT8 NOT NULL, ref_id BYTES NOT NULL, minute INT8 NOT NULL, n INT8 NOT NULL,
	PRIMARY KEY (project_id, minute, kind, ref_id)) NOROWID;
CREATE INDEX IF NOT EXISTS stats_ref ON stats (ref_id, minute);
POSTGRES ALTER TABLE stats SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX IF NOT EXISTS stats_minutes ON stats (minute) WHERE minute % 60 <> 0;
CREATE TABLE IF NOT EXISTS processes (
	id INT8 PRIMARY KEY, host TEXT NOT NULL, roles TEXT NOT NULL, started_at INT8 NOT NULL, beat_at INT8 NOT NULL);
CREATE TABLE IF NOT EXISTS leases (
	name TEXT PRIMARY KEY, owner INT8 NOT NULL, until INT8 NOT NULL);
`
