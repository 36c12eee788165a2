package sqldb

// schema0002 lets the repetition of a request say where the thing is that the
// first one made.
const schema0002 = `
ALTER TABLE idempotency_keys ADD COLUMN location TEXT NOT NULL DEFAULT '';
`
