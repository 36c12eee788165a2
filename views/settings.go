package views

import "time"

// SettingsModel is the page of everything that is set once. Its forms:
// current_password, new_password to /settings/password; name to
// /settings/project (rename) and to /projects (create).
type SettingsModel struct {
	Frame
	Name           string // of the project, as typed after an error
	ProjectErrors  map[string]string
	NewName        string // of the project to make, as typed after an error
	CreateErrors   map[string]string
	PasswordErrors map[string]string
	StartedAt      time.Time
	System         []Fact // about the installation: database, queue, limits
}

// Fact is a name and a value to show side by side.
type Fact struct {
	Name  string
	Value string
	Note  string // may be empty
}
