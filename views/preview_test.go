package views

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/static"
)

// hostile is what a stranger may put wherever text is taken. Were any of it
// read as markup, an element or attribute named evil would come to be.
const hostile = `"><evil onload=alert(1)></pre></script><evil> '><evil x="` + "\u202e\x00\xff" + `<svg evil=1><script>evil()</script> hx-get="/evil"`

func hostileHeaders() relay.Headers { return relay.Headers{{Name: "X-" + hostile, Value: hostile}} }

func hostileEvent(m EventModel) EventModel {
	ev := *m.Event
	ev.EventType, ev.ContentType, ev.IdempotencyKey = hostile, "application/json", hostile
	m.Event = &ev
	m.Payload = &relay.Payload{Method: hostile, Query: hostile, IP: hostile, Headers: hostileHeaders(), Body: []byte(`{"<evil>":"<evil onload='x'>","\u003cevil\u003e":["</pre><evil>"]}`)}
	return m
}

func hostileDelivery(m DeliveryModel) DeliveryModel {
	d := *m.Delivery
	d.EventType, d.LastError, d.LastResponseExcerpt, d.DiscardReason, d.Status = hostile, hostile, hostile, hostile, relay.DeliveryDLQ
	a := fixtureAttempt(1, before(time.Minute), relay.OutcomeStatus, 500, time.Second, hostile, hostile)
	a.URL, a.RequestHeaders, a.ResponseHeaders = "https://example.com/"+hostile, hostileHeaders(), hostileHeaders()
	m.Delivery, m.Attempts = &d, []*relay.Attempt{a}
	m.Endpoint.Name, m.Endpoint.URL, m.Source.Name = hostile, hostile, hostile
	return m
}

func render(t *testing.T, c templ.Component) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPages renders every page and holds it to the rules that all keep.
// REPRISE_PREVIEW_DIR=dir also writes the pages there, to be looked at.
func TestPages(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("REPRISE_PREVIEW_DIR")
	for name, page := range fixturePages() {
		page := render(t, page)
		checkMarkup(t, name, page)
		if dir != "" {
			writePreview(t, filepath.Join(dir, name+".html"), page)
		}
	}
	if dir == "" {
		return
	}
	for _, name := range []string{"app.css", "app.js", "theme.js", "htmx.min.js", "favicon.svg"} {
		data, _, ok := static.Open(static.URL(name))
		if !ok {
			t.Fatalf("no static file %s", name)
		}
		writePreview(t, filepath.Join(dir, static.URL(name)), data)
	}
}

func writePreview(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

var ourURL = regexp.MustCompile(`^(/[A-Za-z0-9_./?=&%,:;+-]*(#[a-z-]+)?|#[a-z-]+)$`)

// checkMarkup parses a page: nothing inline, every link is ours, ids are
// unique, and nothing of a stranger has become an element or attribute.
func checkMarkup(t *testing.T, name string, page []byte) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "evil" || n.Data == "style" || n.Data == "script" && n.FirstChild != nil {
			t.Errorf("%s: the element <%s> must not be there", name, n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || a.Key == "evil" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on"):
				t.Errorf("%s: <%s %s> must not be there", name, n.Data, a.Key)
			case a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction" || a.Key == "hx-get":
				if !ourURL.MatchString(a.Val) || strings.HasPrefix(a.Val, "//") || strings.Contains(a.Val, "evil") {
					t.Errorf("%s: <%s %s=%q> is not one of our URLs", name, n.Data, a.Key, a.Val)
				}
			case a.Key == "id":
				if ids[a.Val] {
					t.Errorf("%s: the id %s is there twice", name, a.Val)
				}
				ids[a.Val] = true
			}
		}
	}
}

func TestHostileTextIsKeptAsText(t *testing.T) {
	t.Parallel()
	pages := fixturePages()
	for _, name := range []string{"event-hostile", "delivery-hostile"} {
		doc, err := html.Parse(bytes.NewReader(render(t, pages[name])))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for n := range doc.Descendants() {
			if n.Type == html.TextNode {
				text.WriteString(n.Data)
			}
		}
		if !strings.Contains(text.String(), `<evil onload=alert(1)>`) {
			t.Errorf("%s: the text of the stranger is not shown as it came", name)
		}
		if strings.ContainsAny(text.String(), "\u202e\x00") {
			t.Errorf("%s: a control character can disguise what is shown", name)
		}
	}
}

func TestJSONKeepsEveryCharacter(t *testing.T) {
	t.Parallel()
	body := `{"a":1e400,"a":-0.10,"b":[true,null,"\u0041\"x: "],"n":12345678901234567890}`
	var pretty strings.Builder
	for _, tok := range newBodyView("application/json", []byte(body)).JSON {
		pretty.WriteString(tok.Text)
	}
	got := strings.NewReplacer("\n", "", "  ", "", ": [", ":[", `": `, `":`).Replace(pretty.String())
	if got != body {
		t.Errorf("got %s, want %s", got, body)
	}
}

func TestBinaryBodyIsHexOnly(t *testing.T) {
	t.Parallel()
	v := newBodyView("application/json", []byte{'{', 0, 0xff, '}'})
	if v.Text != "" || v.JSON != nil || !strings.HasPrefix(v.Hex, "00000000  7b 00 ff 7d") {
		t.Errorf("got %+v", v)
	}
}
