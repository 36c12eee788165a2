package handlers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// evil is markup that must never become an element, wherever it comes from.
const evil = `"'></pre></textarea></script><script>alert(1)</script><img src=x onerror=alert(1)><b id=evil>boo</b>`

// site is the whole product but its workers, with one person, two projects
// and something of everything in the first.
type site struct {
	*testing.T
	store    *db.Store
	queue    *fakeQueue
	url      string
	token    string // of the set-up link
	user     relay.User
	project  relay.Project
	foreign  relay.Project // of somebody else
	actor    relay.Actor
	source   *relay.Source
	endpoint *relay.Endpoint
	ahead    atomic.Int64 // nanoseconds that the clock goes ahead
}

// emptySite has no user yet.
func emptySite(t *testing.T) *site {
	t.Helper()
	return siteOn(t, "sqlite://"+filepath.Join(t.TempDir(), "reprise.db"))
}

func siteOn(t *testing.T, database string) *site {
	t.Helper()
	s := &site{T: t, queue: &fakeQueue{taken: map[string]int{}}, actor: system}
	s.serve(database)
	var err error
	s.token, err = s.store.OpenSetup(t.Context())
	s.check(err)
	return s
}

// serve starts a process on a database, and makes the site that of the process.
func (s *site) serve(database string) {
	s.Helper()
	log := slog.New(slog.NewTextHandler(s.Output(), nil))
	now := func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }
	var err error
	s.store, err = db.Open(context.Background(), db.Options{
		URL: database, Key: bytes.Repeat([]byte{7}, 32), Exclusive: strings.HasPrefix(database, "sqlite:"), Migrate: true, Now: now, Log: log,
	})
	s.check(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err)
	s.url = "http://" + ln.Addr().String()
	app := New(Options{
		Store: s.store, Queue: s.queue, PublicURL: s.url, Version: "1.2.3", Log: log, ReplaysPerMinute: 10, TestFiresPerMinute: 2,
		Now: now,
	})
	served := make(chan error, 1)
	go func() { served <- app.Listener(ln) }()
	store := s.store
	s.Cleanup(func() {
		if err := errors.Join(app.Shutdown(), <-served, store.Close()); err != nil {
			s.Error(err)
		}
	})
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := emptySite(t)
	s.settle()
	return s
}

// settle fills an empty site.
func (s *site) settle() {
	s.Helper()
	s.user = relay.User{ID: relay.NewID(), Email: "mara@acme.example", PasswordHash: testHash(), CreatedAt: s.store.Now()}
	s.check(s.store.CreateFirstUser(s.Context(), &s.user, "Acme", s.actor))
	var err error
	s.project, err = s.store.DefaultProject(s.Context())
	s.check(err)
	s.foreign = s.newProject("Globex", relay.ID{})
	s.source = s.newSource(s.project.ID, "Shop "+evil, "shop")
	s.endpoint = s.newEndpoint(s.project.ID, "Billing "+evil)
}

func (s *site) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) newProject(name string, owner relay.ID) relay.Project {
	s.Helper()
	p := relay.Project{ID: relay.NewID(), Name: name, CreatedAt: s.store.Now(), UpdatedAt: s.store.Now()}
	s.check(s.store.CreateProject(s.Context(), &p, owner, s.actor))
	return p
}

func (s *site) newSource(project relay.ID, name, slug string) *relay.Source {
	s.Helper()
	src := &relay.Source{
		ID: relay.NewID(), ProjectID: project, Name: name, Slug: slug, Type: relay.SourceHTTP, RetentionDays: 30,
		Verifier: relay.Verifier{Type: relay.VerifierNoop}, CreatedAt: s.store.Now(), UpdatedAt: s.store.Now(),
	}
	s.check(s.store.CreateSource(s.Context(), src, s.actor))
	return src
}

func (s *site) newEndpoint(project relay.ID, name string) *relay.Endpoint {
	s.Helper()
	e := &relay.Endpoint{
		ID: relay.NewID(), ProjectID: project, Name: name, URL: "https://hooks.acme.example/in", Status: relay.EndpointActive,
		Retry: relay.DefaultRetryPolicy(), HTTPTimeout: defaultHTTPTimeout, Authentication: relay.Authentication{Type: relay.AuthNone},
		Secrets:   []relay.Secret{{ID: relay.NewID(), Value: relay.NewSecret(), CreatedAt: s.store.Now()}},
		CreatedAt: s.store.Now(), UpdatedAt: s.store.Now(),
	}
	s.check(s.store.CreateEndpoint(s.Context(), e, s.actor))
	return e
}

// receive posts a webhook to a source, as a provider does.
func (s *site) receive(slug, query, body string, headers ...string) {
	s.Helper()
	if status := s.post("/in/"+slug+query, body, headers...); status >= 300 {
		s.Fatalf("a webhook was answered %d", status)
	}
}

func (s *site) post(path, body string, headers ...string) int {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	s.check(err)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	s.check(err)
	s.check(resp.Body.Close())
	return resp.StatusCode
}

// attempt makes one attempt of everything that is due at the endpoint.
func (s *site) attempt(to *relay.Endpoint, status relay.DeliveryStatus, code int, answer string) []relay.ID {
	s.Helper()
	lease := db.Lease{Owner: 1, Until: s.store.Now().Add(time.Minute)}
	claims, _, err := s.store.Claim(s.Context(), lease, db.ClaimRequest{
		EndpointID: to.ID, Limit: 100, Lanes: []relay.Lane{relay.LaneLive, relay.LaneRetry, relay.LaneReplay},
	})
	s.check(err)
	var ids []relay.ID
	for _, c := range claims {
		a := relay.Attempt{
			ID: relay.NewID(), ProjectID: c.ProjectID, DeliveryID: c.DeliveryID, EventID: c.EventID, EndpointID: c.EndpointID,
			Number: c.Attempts + 1, Outcome: relay.Classify(code), StartedAt: s.store.Now(), Duration: 23 * time.Millisecond, URL: to.URL,
			ResponseStatus: code, ResponseHeaders: relay.Headers{{Name: "X-Said", Value: answer}}, ResponseBody: []byte(answer),
			RequestHeaders: relay.Headers{{Name: "Content-Type", Value: "application/json"}},
		}
		if a.Outcome != relay.OutcomeSuccess {
			a.Error = "The endpoint answered " + answer
		}
		done := make(chan error, 1)
		s.store.Record(s.Context(), db.Recording{
			Claim: c, Attempt: a, Status: status, Lane: c.Lane, LastError: a.Error,
		}, func(_ bool, err error) { done <- err })
		s.check(<-done)
		ids = append(ids, c.DeliveryID)
	}
	return ids
}

func (s *site) events() []relay.Event {
	s.Helper()
	found, err := s.store.Events(s.Context(), s.project.ID, db.EventFilter{}, db.Page{Limit: 100})
	s.check(err)
	return found.Rows
}

func (s *site) deliveries() []relay.Delivery {
	s.Helper()
	found, err := s.store.Deliveries(s.Context(), s.project.ID, db.DeliveryFilter{}, db.Page{Limit: 100})
	s.check(err)
	return found.Rows
}

// entries are what the audit log of the project says was done, newest first.
func (s *site) entries() []relay.AuditEntry {
	s.Helper()
	found, err := s.store.AuditEntries(s.Context(), s.project.ID, db.AuditFilter{Reader: s.user.ID}, db.Page{Limit: 100})
	s.check(err)
	return found.Rows
}

// actions are the words for it.
func (s *site) actions() []string {
	s.Helper()
	entries := s.entries()
	words := make([]string, len(entries))
	for i := range entries {
		words[i] = entries[i].Action
	}
	return words
}

// browser is a person's: it keeps cookies and says where requests come from.
type browser struct {
	*site
	client *http.Client
	header http.Header // sent with everything
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	s.check(err)
	return &browser{site: s, header: http.Header{}, client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *site) loggedIn() *browser {
	s.Helper()
	b := s.browser()
	b.post("/login", url.Values{"email": {s.user.Email}, "password": {testPassword}}).wants(http.StatusSeeOther)
	return b
}

func (b *browser) get(path string) *shown {
	b.Helper()
	return b.send(http.MethodGet, path, nil)
}

func (b *browser) post(path string, values url.Values) *shown {
	b.Helper()
	return b.send(http.MethodPost, path, values)
}

func (b *browser) send(method, path string, values url.Values) *shown {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.url+path, strings.NewReader(values.Encode()))
	b.check(err)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.header {
		req.Header[name] = value
	}
	resp, err := b.client.Do(req)
	b.check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	b.check(err)
	return &shown{browser: b, Response: resp, path: path, body: string(body)}
}

// shown is an answer as the person sees it.
type shown struct {
	*browser
	*http.Response
	path string
	body string
}

func (p *shown) wants(status int) *shown {
	p.Helper()
	if p.StatusCode != status {
		p.Fatalf("%s %s: status %d, want %d\n%s", p.Request.Method, p.path, p.StatusCode, status, p.body)
	}
	return p
}

// follow goes where a form leads to.
func (p *shown) follow() *shown {
	p.Helper()
	p.wants(http.StatusSeeOther)
	return p.get(p.Header.Get("Location")).wants(http.StatusOK)
}

// says fails unless the page reads every text.
func (p *shown) says(texts ...string) *shown {
	p.Helper()
	read := p.text()
	for _, text := range texts {
		if !strings.Contains(read, text) {
			p.Errorf("%s does not say %q:\n%s", p.path, text, read)
		}
	}
	return p
}

func (p *shown) hides(texts ...string) *shown {
	p.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			p.Errorf("%s says %q", p.path, text)
		}
	}
	return p
}

// elements are all elements of the page that have a name; all without one.
func (p *shown) elements(name string) []*html.Node {
	p.Helper()
	doc, err := html.Parse(strings.NewReader(p.body))
	p.check(err)
	var found []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && (name == "" || n.Data == name) {
			found = append(found, n)
		}
	}
	return found
}

func (p *shown) text() string {
	p.Helper()
	doc, err := html.Parse(strings.NewReader(p.body))
	p.check(err)
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func isKey(name string) func(html.Attribute) bool {
	return func(a html.Attribute) bool { return a.Key == name }
}
