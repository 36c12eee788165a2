package views

import (
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// Section is the entry of the side bar that a page belongs to.
type Section string

// The sections of the dashboard.
const (
	SectionOverview    Section = "overview"
	SectionSources     Section = "sources"
	SectionEndpoints   Section = "endpoints"
	SectionEvents      Section = "events"
	SectionDeliveries  Section = "deliveries"
	SectionDeadLetters Section = "dead-letters"
	SectionReplays     Section = "replays"
	SectionKeys        Section = "api-keys"
	SectionAudit       Section = "audit-log"
	SectionSettings    Section = "settings"
)

// Frame is what every page shows around its content.
type Frame struct {
	Title       string  // of the document; a page has a default when it is empty
	Section     Section // a page has a default when it is empty
	ProjectID   relay.ID
	ProjectName string
	Projects    []ProjectItem // that the person may switch to, with the present one
	UserEmail   string        // empty: nobody is logged in, the page is drawn bare
	Flash       *Flash        // once, after a redirect
	Notices     []Notice      // about the product itself, on every page while they hold
	PublicURL   string        // scheme and host, no slash at the end
	IngestURL   string        // the same of where webhooks come in
	Path        string        // path and query of this page; forms send it as return_to
	DeadLetters int           // count beside the entry in the side bar; 0 shows none
	Version     string        // of the product
	Now         time.Time     // what relative times are relative to
}

// ProjectItem is one project in the switcher.
type ProjectItem struct {
	ID   relay.ID
	Name string
}

// Tone is the meaning of a colour.
type Tone string

// The tones. Nothing is told by tone alone: an icon and a word stand with it.
const (
	ToneGood    Tone = "good"
	ToneBad     Tone = "bad"
	ToneWarn    Tone = "warn"
	ToneAccent  Tone = "accent"
	ToneNeutral Tone = "neutral"
)

// Flash tells the outcome of what the person just did.
type Flash struct {
	Tone      Tone   // ToneGood when empty
	Text      string // one sentence
	LinkURL   string // a path of this product, may be empty
	LinkLabel string
}

// Notice is a state of the product that people should know of, such as
// "Redis does not answer: deliveries wait".
type Notice struct {
	Tone   Tone // ToneWarn when empty
	Text   string
	Detail string // what to do about it
}

// Option is one choice of a select or filter.
type Option struct {
	Value string
	Label string
}

// Pager is the place of a list in its whole. The list is newest first and
// keyset-paged; the way back is kept in the URL as the trail of cursors.
type Pager struct {
	Cursor      string // "cursor" of this request, empty on the first page
	Trail       string // "trail" of this request, as it came
	Next        string // cursor of the next page, empty on the last one
	Count       int    // rows that the filter selects; below zero: not counted
	CountCapped bool   // the count stopped at Count, there are more
	// Replay plans a replay of everything that the filter selects; nil: no plan can.
	Replay *ReplayForm
}

// SourceRef names a source beside something else.
type SourceRef struct {
	ID   relay.ID // zero: the source was deleted
	Name string
	Slug string
}

// EndpointRef names an endpoint beside something else.
type EndpointRef struct {
	ID     relay.ID // zero: the endpoint was deleted
	Name   string
	URL    string
	Status relay.EndpointStatus
}

// ErrorModel is a page that says what went wrong and what to do.
type ErrorModel struct {
	Frame
	Status    int    // of the HTTP answer
	Detail    string // a sentence that is safe to show; empty: the usual one for Status
	RequestID string
}
