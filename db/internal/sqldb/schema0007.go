package sqldb

// schema0007 finds the entries that belong to no project, such as log-ins, by
// the person that they are about, and marks the owner of the installation: the
// first user.
const schema0007 = `
CREATE INDEX IF NOT EXISTS audit_about ON audit_log (target, id) WHERE project_id IS NULL;
CREATE INDEX IF NOT EXISTS audit_about_action ON audit_log (target, action, id) WHERE project_id IS NULL;
CREATE INDEX IF NOT EXISTS audit_about_name ON audit_log (target, actor_name, id) WHERE project_id IS NULL;
CREATE INDEX IF NOT EXISTS audit_about_actor ON audit_log (target, actor_id, id) WHERE project_id IS NULL;
CREATE INDEX IF NOT EXISTS memberships_project ON memberships (project_id, user_id);
ALTER TABLE users ADD COLUMN IF NOT EXISTS is_owner BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE users SET is_owner = TRUE WHERE id = (SELECT id FROM users ORDER BY created_at, id LIMIT 1)
	AND NOT EXISTS (SELECT 1 FROM users WHERE is_owner);
`
