package sqldb

// schema0004 keeps the pairs of a plan in their row: ids are hardly to be
// compressed, and PostgreSQL took longer for trying, and for a table beside,
// than for the rows.
const schema0004 = `
POSTGRES ALTER TABLE replay_items ALTER COLUMN more SET STORAGE PLAIN;
`
