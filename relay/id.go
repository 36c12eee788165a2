package relay

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// ID is the identity of one thing: a version 7 UUID (RFC 9562), so that ids
// sort by the time they were made. The zero ID means "none" and is stored as
// NULL.
type ID uuid.UUID

// NewID makes an id for something that begins to exist now.
func NewID() ID { return ID(uuid.Must(uuid.NewV7())) }

// IsZero reports whether the id stands for nothing.
func (id ID) IsZero() bool { return id == ID{} }

// UUID is the dashed lower-case form without a prefix.
func (id ID) UUID() string { return uuid.UUID(id).String() }

// String is UUID; ids shown to people carry a prefix (see Prefix.Format).
func (id ID) String() string { return id.UUID() }

// Value stores an id as its sixteen bytes, and the zero id as NULL.
func (id ID) Value() (driver.Value, error) {
	if id.IsZero() {
		return nil, nil
	}
	return id[:], nil
}

// Scan reads what Value stored.
func (id *ID) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*id = ID{}
		return nil
	case []byte:
		if len(v) == len(id) {
			copy(id[:], v)
			return nil
		}
	}
	return fmt.Errorf("relay: %T is not a stored id", src)
}

// Prefix tells what kind of thing an id names.
type Prefix string

// The prefixes of the product's ids.
const (
	PrefixProject  Prefix = "prj_"
	PrefixSource   Prefix = "src_"
	PrefixEndpoint Prefix = "whk_"
	PrefixEvent    Prefix = "evt_"
	PrefixDelivery Prefix = "wdl_"
	PrefixAttempt  Prefix = "att_"
	PrefixReplay   Prefix = "rpl_"
	PrefixKey      Prefix = "key_"
	PrefixAudit    Prefix = "aud_"
	PrefixUser     Prefix = "usr_"
)

var prefixAliases = map[Prefix][]Prefix{
	PrefixEndpoint: {"dst_", "ep_"},
	PrefixDelivery: {"whd_"},
}

// Format writes an id with its prefix, and the zero id as the empty string.
func (p Prefix) Format(id ID) string {
	if id.IsZero() {
		return ""
	}
	return string(p) + id.UUID()
}

// ParseID reads an id generously: with its prefix or an alias of it, or bare;
// dashed or as 32 hex digits. Anything else is a KindInvalidID error.
func ParseID(p Prefix, s string) (ID, error) {
	rest := s
	for _, known := range append([]Prefix{p}, prefixAliases[p]...) {
		if after, ok := strings.CutPrefix(s, string(known)); ok {
			rest = after
			break
		}
	}
	if len(rest) == 36 || len(rest) == 32 {
		if id, err := uuid.Parse(rest); err == nil && id != uuid.Nil {
			return ID(id), nil
		}
	}
	return ID{}, &Error{
		Kind:   KindInvalidID,
		Detail: fmt.Sprintf("The id must have the form %s followed by a UUID.", p),
	}
}

// Hex is the 32-digit form without dashes.
func (id ID) Hex() string { return hex.EncodeToString(id[:]) }
