package db

// schema0008 keeps the logs of endpoints' rates, see relay.Window.
const schema0008 = `
CREATE TABLE IF NOT EXISTS endpoint_windows (endpoint_id BYTES NOT NULL PRIMARY KEY, log BYTES NOT NULL) NOROWID;
`
