package sqldb

// schema0010 counts the deliveries of each replay job by their status, so that
// nobody has to count them; see replayMoves.
const schema0010 = `
CREATE TABLE IF NOT EXISTS replay_counts (
	replay_id BYTES NOT NULL, status TEXT NOT NULL, slot INT8 NOT NULL, n INT8 NOT NULL, PRIMARY KEY (replay_id, status, slot)) NOROWID;
POSTGRES ALTER TABLE replay_counts SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
INSERT INTO replay_counts (replay_id, status, slot, n)
	SELECT replay_id, status, 0, count(*) FROM deliveries WHERE replay_id IS NOT NULL AND status <> 'pending' GROUP BY replay_id, status
	ON CONFLICT DO NOTHING;
`
