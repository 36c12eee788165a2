package views

import "github.com/reprise-dev/reprise/relay"

// KeysModel lists the API keys of a project. Its form posts name and scope to
// /api-keys.
type KeysModel struct {
	Frame
	Keys   []*relay.APIKey
	New    *NewKey // just made: shown this once
	Name   string  // as it was typed, after an error
	Scope  relay.Scope
	Errors map[string]string
}

// NewKey is an API key at the one moment when it can be read.
type NewKey struct {
	Name string
	Key  string
}
