package sqldb

// schema0005 keeps what followed the source's slug in the path of a request.
const schema0005 = `
ALTER TABLE payloads ADD COLUMN IF NOT EXISTS path BYTES;
`
