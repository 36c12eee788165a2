package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// demoSaid finds the log-ins that the log tells of.
var demoSaid = regexp.MustCompile(`log in to the demo.* email=(\S+) password=(\S+)`)

// startDemo starts the program with --demo and waits until it has said all that
// it says at a start.
func (p *program) startDemo() {
	p.t.Helper()
	before := strings.Count(p.log.String(), "msg=listening")
	p.start("--demo")
	p.eventually("the demo is ready", func() bool { return strings.Count(p.log.String(), "msg=listening") > before })
}

// logIn returns the browser of a person who has logged in, nil if that failed.
func (p *program) logIn(email, password string) *http.Client {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	resp, err := browser.Post(p.URL+"/api/v1/session", "application/json", strings.NewReader(`{"email":"`+email+`","password":"`+password+`"}`))
	if err != nil {
		p.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	return browser
}

// demoMade is how much there is of what the demo makes.
type demoMade struct{ sources, endpoints, events, keys, jobs int }

func (p *program) demoMade() demoMade {
	p.t.Helper()
	return demoMade{len(p.list("/sources")), len(p.list("/endpoints")), len(p.list("/events")), len(p.list("/api-keys")), len(p.list("/replays"))}
}

// wholeDemo is what it makes in all; one of the keys is that of the settings.
var wholeDemo = demoMade{sources: 3, endpoints: 3, events: demoEvents + int(demoDays*24*time.Hour/demoStep), keys: 2, jobs: 2}

// hasDemo checks that everything is there that the demo shows, once, and that the
// log-in that was printed last works.
func (p *program) hasDemo() {
	p.t.Helper()
	said := demoSaid.FindAllStringSubmatch(p.log.String(), -1)
	if len(said) == 0 {
		p.t.Fatal("no log-in was printed")
	}
	if last := said[len(said)-1]; p.logIn(last[1], last[2]) == nil {
		p.t.Errorf("the log-in that was printed does not work: %v", last)
	}
	if p.logIn(demoColleague, demoPassword) == nil {
		p.t.Error("there is no second person")
	}
	if strings.Contains(p.log.String(), "/setup?token=") {
		p.t.Error("a link was printed with which nobody can be made")
	}
	if made := p.demoMade(); made != wholeDemo {
		p.t.Errorf("there is %+v, want %+v", made, wholeDemo)
	}
	during := func(path string, from, to time.Duration) int {
		at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
		return len(p.list(path + "from=" + at(from) + "&to=" + at(to)))
	}
	for day := -demoDays * 24 * time.Hour; day < 0; day += 24 * time.Hour {
		if n := during("/events?", day, day+24*time.Hour); n < 200 {
			p.t.Errorf("%d events of the day that began %v ago", n, -day)
		}
	}
	if n := during("/deliveries?status=dlq&", outageFrom, outageTo); n < 50 {
		p.t.Errorf("%d dead letters of the outage", n)
	}
	p.eventually("one job is done and one is paused", func() bool {
		return len(p.list("/replays?status=completed")) == 1 && len(p.list("/replays?status=paused")) == 1
	})
}

// TestTheDemoShowsSevenDays starts the demo as `make demo` does, and again.
func TestTheDemoShowsSevenDays(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		p.startDemo()
		p.hasDemo()
		if code := p.stop(); code != 0 {
			t.Fatalf("it ended with %d", code)
		}
		p.startDemo()
		p.hasDemo()
		if n := len(demoSaid.FindAllString(p.log.String(), -1)); n != 2 {
			t.Errorf("two starts printed %d log-ins", n)
		}
	})
}

// TestTheDemoMovesItsOwnEndpoints: it knew them by name, so that it took those of
// visitors and lost its own.
func TestTheDemoMovesItsOwnEndpoints(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.startDemo()
	sample := p.list("/endpoints")
	if status := p.call("PATCH", "/endpoints/"+sample[0].ID, map[string]any{"name": "renamed"}, nil); status != http.StatusOK {
		t.Fatalf("renaming: %d", status)
	}
	if status := p.call("PATCH", "/endpoints/"+sample[1].ID, map[string]any{"url": "http://127.0.0.1:9/theirs"}, nil); status != http.StatusOK {
		t.Fatalf("changing: %d", status)
	}
	mine := p.endpoint("http://127.0.0.1:9/mine", map[string]any{"name": "CRM sync"})
	p.stop()
	p.startDemo()
	now := map[string]string{}
	for _, e := range p.list("/endpoints") {
		now[e.ID] = e.URL
	}
	if len(now) != 4 || now[mine] != "http://127.0.0.1:9/mine" || now[sample[1].ID] != "http://127.0.0.1:9/theirs" {
		t.Errorf("of %v, what people made point elsewhere is now %v", sample, now)
	}
	for _, e := range []thing{sample[0], sample[2]} {
		if now[e.ID] == e.URL || now[e.ID] == "" {
			t.Errorf("%s has the receiver's old address: %s", e.ID, now[e.ID])
		}
	}
}

// TestTheDemoPrintsNoLogInThatFails lets somebody change the password.
func TestTheDemoPrintsNoLogInThatFails(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.startDemo()
	form := url.Values{"current_password": {demoPassword}, "new_password": {"another good one"}}
	req, err := http.NewRequestWithContext(t.Context(), "POST", p.URL+"/settings/password", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", p.URL)
	resp, err := p.logIn(demoEmail, demoPassword).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	p.stop()
	p.startDemo()
	if p.logIn(demoEmail, demoPassword) != nil || p.logIn(demoEmail, "another good one") == nil {
		t.Fatal("the password was not changed")
	}
	if n := len(demoSaid.FindAllString(p.log.String(), -1)); n != 1 {
		t.Errorf("%d log-ins were printed, want that of the first start alone", n)
	}
}

// TestTheDemoHasAnOwnerOfTheSettings: with the address of the demo's own log-in
// it was never full.
func TestTheDemoHasAnOwnerOfTheSettings(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "REPRISE_ADMIN_EMAIL="+demoEmail, "REPRISE_ADMIN_PASSWORD=one of the settings")
	p.startDemo()
	if p.logIn(demoEmail, "one of the settings") == nil || p.logIn(demoColleague, demoPassword) == nil {
		t.Error("the owner of the settings or the colleague cannot log in")
	}
	if said := demoSaid.FindString(p.log.String()); said != "" {
		t.Errorf("it said %s", said)
	}
}

// TestTheDemoIsFilledAnew kills the program while it fills the demo, and stops it
// while it does so again.
func TestTheDemoIsFilledAnew(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		half := func() {
			t.Helper()
			p.start("--demo")
			p.eventually("some events are there", func() bool { return len(p.list("/events")) > 0 })
		}
		half()
		p.kill()
		half()
		if code := p.stop(); code != 0 {
			t.Errorf("it ended with %d", code)
		}
		switch said := p.log.String(); {
		case demoSaid.MatchString(said):
			t.Fatal("it was full before it could be stopped")
		case strings.Contains(said, "canceled"):
			t.Error("it tells of its end as of a fault")
		}
		p.startDemo()
		p.hasDemo()
	})
}

// TestTheDemoRefusesADatabaseInUse leaves it as it was: the key of before works.
func TestTheDemoRefusesADatabaseInUse(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		p.start()
		p.source("mine")
		p.endpoint("http://127.0.0.1:9/mine", map[string]any{"name": "Legacy ERP"})
		before := p.demoMade()
		if code := p.stop(); code != 0 {
			t.Fatalf("it ended with %d", code)
		}
		demo := p.command("serve", "--demo")
		demo.Env = append(slices.Clone(p.env), "REPRISE_API_KEY=rp_another_key_of_the_settings")
		refused(t, p, demo, "not the demo's")
		p.env = append(p.env, "REPRISE_API_KEY=") // nothing makes the key anew
		p.start()
		if after := p.demoMade(); after != before {
			t.Errorf("there was %+v, and now %+v", before, after)
		}
		if e := p.list("/endpoints"); len(e) != 1 || e[0].URL != "http://127.0.0.1:9/mine" {
			t.Errorf("the endpoints are %v", e)
		}
	})
}
