package db

// schema0006 keeps what followed the source's slug in the path of a request.
const schema0006 = `
ALTER TABLE payloads ADD COLUMN IF NOT EXISTS path BYTES;
`
