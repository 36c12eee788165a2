package sqldb

// schema0006 remembers of a delivery whether it is being tried alone, and at how
// many deaths of its process it was.
const schema0006 = `
ALTER TABLE deliveries ADD COLUMN IF NOT EXISTS alone INT8 NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN IF NOT EXISTS died_alone INT8 NOT NULL DEFAULT 0;
`
