package sqldb

// schema0003 lets one row of a plan hold many pairs: more are those that
// follow the row's own, see packPairs.
const schema0003 = `
ALTER TABLE replay_items ADD COLUMN more BYTES;
`
