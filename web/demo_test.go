package main

import (
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/dbtest"
)

// demoLogIn logs in with what the log says, and reports whether that works.
func demoLogIn(t *testing.T, p *program) bool {
	t.Helper()
	_, said, found := strings.Cut(p.log.String(), "log in to the demo")
	if !found {
		return false
	}
	field := func(name string) string {
		_, rest, _ := strings.Cut(said, name+"=")
		value, _, _ := strings.Cut(rest, " ")
		return strings.TrimSpace(strings.SplitN(value, "\n", 2)[0])
	}
	jar, _ := cookiejar.New(nil)
	client := http.Client{Jar: jar}
	body := strings.NewReader(`{"email":"` + field("email") + `","password":"` + field("password") + `"}`)
	resp, err := client.Post(p.URL+"/api/v1/session", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// TestTheDemoShowsSevenDays starts the demo as `make demo` does, and again.
func TestTheDemoShowsSevenDays(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		p.start("--demo")
		p.eventually("the log-in is told of", func() bool { return strings.Contains(p.log.String(), "log in to the demo") })
		if !demoLogIn(t, p) {
			t.Error("the log-in that is printed does not work")
		}
		count := func(path string) int { return len(p.list(path)) }
		day := func(ago int) string { return time.Now().AddDate(0, 0, -ago).UTC().Format(time.RFC3339) }
		for ago := range demoDays {
			if n := count("/events?from=" + day(ago+1) + "&to=" + day(ago)); n < 100 {
				t.Errorf("%d days ago %d events came in", ago, n)
			}
		}
		outage := "/deliveries?status=dlq&from=" + time.Now().Add(outageFrom).UTC().Format(time.RFC3339) + "&to=" + time.Now().Add(outageTo).UTC().Format(time.RFC3339)
		if n := count(outage); n < 50 {
			t.Errorf("%d dead letters of the outage", n)
		}
		p.eventually("one job is done and one is paused", func() bool {
			return len(p.list("/replays?status=completed")) == 1 && len(p.list("/replays?status=paused")) == 1
		})
		made := func() [4]int {
			return [4]int{count("/events"), len(p.list("/endpoints")), len(p.list("/api-keys")), len(p.list("/replays"))}
		}
		before, target := made(), p.list("/endpoints")
		if before[1] != 3 || before[2] != 2 {
			t.Errorf("%d endpoints and %d keys", before[1], before[2])
		}
		// What a visitor makes is theirs, whatever its name; what they rename is the demo's.
		p.call("PATCH", "/endpoints/"+target[0].ID, map[string]any{"name": "renamed"}, nil)
		theirs := p.endpoint("http://127.0.0.1:9/mine", map[string]any{"name": "CRM sync"})
		if code := p.stop(); code != 0 {
			t.Fatalf("it ended with %d", code)
		}
		p.start("--demo")
		p.eventually("the log-in is told of again", func() bool { return strings.Count(p.log.String(), "log in to the demo") == 2 })
		if after := made(); after[0] != before[0] || after[1] != 4 || after[3] != before[3] {
			t.Errorf("it had %v, and after it was started again %v", before, after)
		}
		moved := 0
		for _, e := range p.list("/endpoints") {
			for _, was := range target {
				if e.ID == was.ID && e.URL != was.URL {
					moved++
				}
			}
			if e.ID == theirs && e.URL != "http://127.0.0.1:9/mine" {
				t.Errorf("a visitor's endpoint is now %s", e.URL)
			}
		}
		if moved != 3 {
			t.Errorf("%d of the sample endpoints have the receiver's new address", moved)
		}
	})
}

// TestTheDemoIsFilledAnew kills the program while it fills the demo.
func TestTheDemoIsFilledAnew(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "DATABASE_URL="+dbtest.Postgres(t), "REDIS_URL="+dbtest.Redis(t))
	p.start("--demo")
	p.eventually("some events are there", func() bool { return len(p.list("/events")) > 0 })
	p.kill()
	if strings.Contains(p.log.String(), "log in to the demo") {
		t.Fatal("it was full before it could be killed")
	}
	p.start("--demo")
	p.eventually("the log-in is told of", func() bool { return strings.Contains(p.log.String(), "log in to the demo") })
	if !demoLogIn(t, p) {
		t.Error("the log-in does not work")
	}
	if e, s, r := len(p.list("/endpoints")), len(p.list("/sources")), len(p.list("/replays")); e != 3 || s != 3 || r != 2 {
		t.Errorf("%d endpoints, %d sources, %d jobs", e, s, r)
	}
}

// TestTheDemoRefusesADatabaseInUse leaves it as it was: the key of before works.
func TestTheDemoRefusesADatabaseInUse(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		p.start()
		p.source("mine")
		p.endpoint("http://127.0.0.1:9/mine", map[string]any{"name": "Legacy ERP"})
		if code := p.stop(); code != 0 {
			t.Fatalf("it ended with %d", code)
		}
		demo := p.command("serve", "--demo")
		demo.Env = append(append([]string{}, p.env...), "REPRISE_API_KEY=another-key-of-the-demo")
		refused(t, p, demo, "not the demo's")
		p.start()
		if n := len(p.list("/api-keys")); n != 1 {
			t.Errorf("%d keys", n)
		}
		if e := p.list("/endpoints"); len(e) != 1 || e[0].URL != "http://127.0.0.1:9/mine" {
			t.Errorf("the endpoints are %v", e)
		}
	})
}
