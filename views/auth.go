package views

// LoginModel is the log-in form. It posts email, password and next to /login.
type LoginModel struct {
	Frame
	Email string // as it was typed
	Next  string // path to go on to, checked by the handler to be one of ours
	Error string // why the log-in failed, one sentence
}

// SetupModel is the form that makes the first user. It posts token, email,
// password and project_name to /setup.
type SetupModel struct {
	Frame
	Token        string
	TokenInvalid bool // the link is wrong or used up: no form, only how to get another
	Email        string
	ProjectName  string
	Errors       map[string]string // by field name
}
