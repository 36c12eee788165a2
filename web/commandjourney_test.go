package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runCommands copies every command that a page shows under "From the command
// line" into a shell, if they hold some words, and gives what they print.
func (p *person) runCommands(prog *program, path, words string) string {
	p.t.Helper()
	p.open(path)
	shown := eval[[]string](p, `[...document.querySelectorAll('.commands [data-copy]')].map(e => e.dataset.copy)`)
	shown = slices.DeleteFunc(shown, func(line string) bool { return !strings.Contains(line, words) })
	if len(shown) == 0 {
		p.t.Fatalf("%s shows no command with %q", path, words)
	}
	program, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	var printed strings.Builder
	for _, line := range shown {
		shell := exec.Command("sh", "-c", strings.Replace(line, "curl ", "curl -fsS ", 1))
		shell.Env = []string{"PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH"), "REPRISE_URL=" + prog.URL, "REPRISE_API_KEY=" + testKey}
		out, err := shell.CombinedOutput()
		if err != nil {
			p.t.Errorf("%s shows a command that fails: %v\n%s\n%s", path, err, line, out)
		}
		printed.Write(out)
	}
	return printed.String()
}

// TestJourneyCommands does what pages offer as commands, each by the command
// line and by the API, and counts what arrives.
func TestJourneyCommands(t *testing.T) {
	t.Parallel()
	prog := newProgram(t)
	prog.start()
	sink, broken := newSink(t), newSink(t)
	broken.answer = http.StatusInternalServerError
	p := newPerson(t, prog.URL)
	p.setUp(prog)
	target := prog.source("shop")
	one := prog.endpoint(sink.URL, map[string]any{"name": "It's 'the' shop"})
	post(t, target, `{"type":"it's an 'order'; exit 1"}`, nil)
	prog.arrives(sink, 1)
	event, delivery := prog.list("/events")[0].ID, prog.list("/deliveries")[0].ID

	p.runCommands(prog, "/events/"+event, "") // to all that match and to a chosen one, two ways each
	prog.arrives(sink, 5)
	p.runCommands(prog, "/deliveries/"+delivery, "") // replay and retry
	prog.arrives(sink, 9)
	p.runCommands(prog, "/endpoints/"+one, "") // a test event, and a pause
	if out := p.runCommands(prog, "/endpoints/"+one, "resume"); !strings.Contains(out, one+"  active") {
		t.Errorf("resume:\n%s", out)
	}
	prog.arrives(sink, 11)
	p.runCommands(prog, "/events", "") // a plan, and a row
	prog.arrives(sink, 13)
	p.runCommands(prog, "/replays", "")
	prog.arrives(sink, 13)

	out := p.runCommands(prog, "/deliveries?status=delivered&endpoint_id="+one, "replay plan") +
		p.runCommands(prog, "/deliveries?status=delivered&endpoint_id="+one, "dry_run")
	plans := slices.Compact(jobID.FindAllString(out, -1))
	if len(plans) != 2 {
		t.Fatalf("%d plans:\n%s", len(plans), out)
	}
	prog.arrives(sink, 13)
	p.runCommands(prog, "/replays/"+plans[0], "reprise replay start")
	prog.arrives(sink, 14)
	p.runCommands(prog, "/replays/"+plans[1], "/start")
	prog.arrives(sink, 15)
	p.runCommands(prog, "/replays/"+plans[0], "")

	two := prog.endpoint(broken.URL, map[string]any{"event_filter": []string{"broken"}, "retry": map[string]any{"max_retries": 0}})
	post(t, target, `{"type":"broken"}`, nil)
	prog.eventually("there is a dead letter", func() bool { return len(prog.list("/deliveries?status=dlq&endpoint_id="+two)) == 1 })
	broken.mu.Lock()
	broken.answer = http.StatusOK
	broken.mu.Unlock()
	p.runCommands(prog, "/dead-letters", "")
	prog.arrives(broken, 2)
	broken.mu.Lock()
	broken.answer = http.StatusInternalServerError
	broken.mu.Unlock()
	post(t, target, `{"type":"broken"}`, nil)
	prog.eventually("there is another dead letter", func() bool { return len(prog.list("/deliveries?status=dlq&endpoint_id="+two)) == 2 })
	if out := p.runCommands(prog, "/dead-letters", "discard"); !strings.HasPrefix(out, "Discarded: 1\n") {
		t.Errorf("discard:\n%s", out)
	}
	p.open("/dead-letters")
	p.sees("Nothing waits for you")

	out = p.runCommands(prog, "/endpoints/new", "")
	for _, want := range []string{"Signing secret, shown this once: whsec_", "What came in before is sent by rpl_", `"replay_id":"rpl_`} {
		if !strings.Contains(out, want) {
			t.Errorf("creating endpoints does not say %q:\n%s", want, out)
		}
	}
	if out := prog.reprise(0, "endpoints"); strings.Count(out, "Billing") != 4 || !strings.Contains(out, two+"  active  ") {
		t.Errorf("endpoints:\n%s", out)
	}
}
