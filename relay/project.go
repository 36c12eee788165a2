package relay

import "time"

// Project is the tenant: it owns sources, endpoints, events and keys, and
// nobody sees into another one.
type Project struct {
	ID        ID
	Name      string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// User is a person who logs in to the dashboard.
type User struct {
	ID           ID
	Email        string // lower case
	PasswordHash string // argon2id, PHC string form
	Owner        bool   // of the installation: the first user
	CreatedAt    time.Time
	LastLoginAt  time.Time // zero: never
}

// Scope is what an API key may do.
type Scope string

// The scopes of API keys. A write key may also read.
const (
	ScopeRead  Scope = "read"
	ScopeWrite Scope = "write"
)

// APIKey lets a program act for one project. Only a hash of it is stored.
type APIKey struct {
	ID         ID
	ProjectID  ID
	Name       string
	Scope      Scope
	Hint       string // the first and last characters, for recognition
	Hash       []byte // SHA-256 of the key
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
	RevokedAt  time.Time // zero: live
}

// ActorKind tells who acted.
type ActorKind string

// Who can act.
const (
	ActorUser   ActorKind = "user"
	ActorKey    ActorKind = "api_key"
	ActorSystem ActorKind = "system" // the product itself, or a command on the server
)

// Actor is whoever does something that the audit log records.
type Actor struct {
	Kind ActorKind
	ID   ID     // of the user or key; zero for the system
	Name string // e-mail or key name, as it was at the time
	IP   string
}

// AuditEntry records one act. Data holds what is worth knowing beside the
// target, never a secret.
type AuditEntry struct {
	ID        ID
	ProjectID ID // zero: not about one project (log-ins)
	At        time.Time
	Actor     Actor
	Action    string // "source.created", "webhook_delivery.replayed", …
	Target    string // prefixed id of what was acted on, may be empty; without a project: of whom it is about
	Data      map[string]any
}
