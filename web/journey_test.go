package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// GitHub's documented example of a signed webhook.
const (
	githubSecret    = "It's a Secret to Everybody"
	githubBody      = "Hello, World!"
	githubSignature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
)

var setupLink = regexp.MustCompile(`url="?(http://\S+/setup\?token=[0-9a-f]+)`)

// setUp makes the first owner by the link that the log shows.
func (p *person) setUp(prog *program) {
	p.t.Helper()
	found := setupLink.FindStringSubmatch(prog.log.String())
	if found == nil {
		p.t.Fatalf("the log shows no set-up link:\n%s", prog.log)
	}
	p.open(found[1])
	p.fill(`input[name=email]`, "ada@example.com")
	p.fill(`input[name=password]`, "correct horse battery")
	p.fill(`input[name=project_name]`, "Northwind")
	p.press("Create the account")
	p.sees("Overview")
}

// newJourney is a running server with nothing in it, a receiver, and a person
// who has just set the server up.
func newJourney(t *testing.T) (*program, *sink, *person) {
	t.Helper()
	prog := newProgram(t)
	prog.start()
	to := newSink(t)
	p := newPerson(t, prog.URL)
	p.setUp(prog)
	return prog, to, p
}

// choose clicks an input that style sheets hide behind its label.
func (p *person) choose(selector string) {
	p.t.Helper()
	p.do(chromedp.WaitReady(chromedp.CSS(selector)))
	eval[chromedp.Void](p, "document.querySelector('"+selector+"').click()")
}

func post(t *testing.T, url, body string, headers map[string]string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestJourneyFromSetUpToReplay is the product's main story: set it up, take in
// GitHub's documented example, see it delivered, let the endpoint fail, mend
// it, press Replay.
func TestJourneyFromSetUpToReplay(t *testing.T) {
	t.Parallel()
	prog, sink, p := newJourney(t)

	p.open("/sources/new")
	p.fill(`input[name=name]`, "GitHub")
	p.fill(`input[name=slug]`, "github")
	p.choose(`input[name=verifier_type][value=github]`)
	p.fill(`input[name=secret]`, githubSecret)
	p.press("Create the source")
	p.sees(prog.URL + "/in/github")

	p.open("/endpoints/new")
	p.fill(`input[name=name]`, "Deployer")
	p.fill(`input[name=url]`, sink.URL+"/deploy")
	p.fill(`input[name=retry_max_retries]`, "1")
	p.press("Create the endpoint")
	p.sees("Copy it now")

	signed := map[string]string{"X-Hub-Signature-256": githubSignature, "X-GitHub-Event": "ping", "Content-Type": "text/plain"}
	if status := post(t, prog.URL+"/in/github", githubBody, signed); status != http.StatusAccepted {
		t.Fatalf("GitHub's example was answered %d", status)
	}
	signed["X-Hub-Signature-256"] = strings.Replace(githubSignature, "757", "858", 1)
	if status := post(t, prog.URL+"/in/github", githubBody, signed); status != http.StatusUnauthorized {
		t.Fatalf("a forged request was answered %d", status)
	}
	prog.eventually("the example is delivered", func() bool { return len(prog.list("/deliveries?status=delivered")) == 1 })
	p.open("/events?status=delivered")
	p.seesAfterReload("ping")
	p.clickCSS(`main a[href^="/events/evt_"]`)
	p.sees(githubBody)
	p.sees("Deployer")
	p.sees("verified")
	p.open("/events?status=rejected")
	p.sees("rejected")

	sink.mu.Lock()
	sink.answer = http.StatusInternalServerError
	sink.mu.Unlock()
	signed["X-Hub-Signature-256"] = githubSignature
	if status := post(t, prog.URL+"/in/github", githubBody, signed); status != http.StatusAccepted {
		t.Fatalf("the second example was answered %d", status)
	}
	p.open("/dead-letters")
	p.seesAfterReload("Deployer")
	p.clickCSS(`main a[href^="/deliveries/wdl_"]`)
	p.sees("500 Internal Server Error")
	p.picture("dead")

	sink.mu.Lock()
	sink.answer = http.StatusOK
	before := len(sink.events)
	sink.mu.Unlock()
	arrived := sink.total.Load()
	p.clickCSS(`main form[action$="/replay"] button, header form[action$="/replay"] button`)
	p.sees("Replayed")
	prog.eventually("the replay arrived", func() bool { return sink.total.Load() == arrived+1 })
	sink.mu.Lock()
	if len(sink.events) != before {
		t.Errorf("the replay came with a new webhook-id")
	}
	sink.mu.Unlock()
	p.open("/dead-letters")
	p.seesAfterReload("Nothing waits for you")
	p.open("/audit-log")
	p.sees("replayed")
}

// TestJourneyAPayloadIsText shows a payload full of markup on every page that
// shows payloads.
func TestJourneyAPayloadIsText(t *testing.T) {
	t.Parallel()
	prog, sink, p := newJourney(t)
	target := prog.source("hostile")
	prog.endpoint(sink.URL, nil)
	const markup = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`
	for _, body := range []string{
		`{"type":"x","html":"<img src=x onerror=\"document.title='owned'\">","link":"javascript:alert(1)"}`,
		markup,
	} {
		post(t, target, body, map[string]string{"Content-Type": "text/html", "X-Event-Type": markup, "X-Note": markup, "User-Agent": markup})
	}
	prog.eventually("both are delivered", func() bool { return len(prog.list("/deliveries?status=delivered")) == 2 })
	pages := []string{"/", "/events", "/deliveries", "/events?q=onerror", "/events?event_type=" + "%3Cscript%3E"}
	for _, e := range prog.list("/events") {
		pages = append(pages, "/events/"+e.ID)
	}
	for _, d := range prog.list("/deliveries") {
		pages = append(pages, "/deliveries/"+d.ID)
	}
	for _, path := range pages {
		p.open(path)
		if title := eval[string](p, "document.title"); strings.Contains(title, "owned") {
			t.Errorf("%s ran a script of the payload", path)
		}
		if n := eval[int](p, `document.querySelectorAll('img[src="x"], script:not([src])').length`); n != 0 {
			t.Errorf("%s has %d elements of the payload", path, n)
		}
	}
	p.open(pages[len(pages)-3])
	p.sees("onerror")
}

// TestJourneyBulkReplay selects failed deliveries in a list and replays them.
func TestJourneyBulkReplay(t *testing.T) {
	t.Parallel()
	prog, sink, p := newJourney(t)
	sink.answer = http.StatusServiceUnavailable
	target := prog.source("bulk")
	prog.endpoint(sink.URL, map[string]any{"retry": map[string]any{"max_retries": 0}})
	for range 5 {
		post(t, target, `{"type":"order.created"}`, nil)
	}
	prog.eventually("all are dead letters", func() bool { return len(prog.list("/deliveries?status=dlq")) == 5 })
	sink.mu.Lock()
	sink.answer = http.StatusOK
	sink.mu.Unlock()
	arrived := sink.total.Load()
	p.open("/dead-letters")
	eval[chromedp.Void](p, `document.querySelectorAll('main input[name=ids]').forEach((box, i) => { if (i < 3) box.click() })`)
	p.picture("selected")
	p.clickCSS(`button[name=action][value=replay]`)
	p.picture("asked")
	eval[chromedp.Void](p, `document.querySelector('dialog[open] button.primary, dialog[open] button[value=confirm], dialog[open] button.danger')?.click()`)
	p.sees("Replayed")
	prog.eventually("three arrived", func() bool { return sink.total.Load() == arrived+3 })
	prog.eventually("three are delivered", func() bool { return len(prog.list("/deliveries?status=delivered")) == 3 })
	if n := sink.total.Load(); n != arrived+3 {
		t.Errorf("%d requests arrived, want 3", n-arrived)
	}
}
