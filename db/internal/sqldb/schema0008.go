package sqldb

// schema0008 keeps the logs of endpoints' rates, see relay.Window, and what the
// turns at something long leave for the next, see TaskLease.
const schema0008 = `
CREATE TABLE IF NOT EXISTS endpoint_windows (endpoint_id BYTES NOT NULL PRIMARY KEY, log BYTES NOT NULL) NOROWID;
ALTER TABLE leases ADD COLUMN IF NOT EXISTS step INT8 NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN IF NOT EXISTS state BYTES;
`
