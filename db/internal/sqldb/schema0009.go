package sqldb

// schema0009 keeps the pairs of a plan in parts that are counted, so that a plan
// need not be sorted as a whole, and where the planning of a job stands.
const schema0009 = `
ALTER TABLE replays ADD COLUMN IF NOT EXISTS planning TEXT;
ALTER TABLE replays ADD COLUMN IF NOT EXISTS cursor_part INT8 NOT NULL DEFAULT 0;
CREATE TABLE IF NOT EXISTS replay_pairs (
	replay_id BYTES NOT NULL, part INT8 NOT NULL, pairs BYTES NOT NULL, PRIMARY KEY (replay_id, part)) NOROWID;
POSTGRES ALTER TABLE replay_pairs ALTER COLUMN pairs SET STORAGE PLAIN;
CREATE TABLE IF NOT EXISTS replay_items (replay_id BYTES, event_id BYTES, endpoint_id BYTES, more BYTES);
INSERT INTO replay_pairs (replay_id, part, pairs)
	SELECT replay_id, row_number() OVER (PARTITION BY replay_id ORDER BY event_id, endpoint_id), CAST(event_id || endpoint_id || coalesce(more, '') AS BYTES)
	FROM replay_items;
UPDATE replays SET cursor_part = (SELECT count(*) FROM replay_items i
	WHERE i.replay_id = replays.id AND (i.event_id, i.endpoint_id) <= (replays.cursor_event, replays.cursor_endpoint))
	WHERE EXISTS (SELECT 1 FROM replay_items i WHERE i.replay_id = replays.id);
DROP TABLE replay_items;
`
