package static

import (
	"bytes"
	"strings"
	"testing"
)

func TestEveryFileIsServedUnderItsHashOnly(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "theme.js": "text/javascript; charset=utf-8",
		"htmx.min.js": "text/javascript; charset=utf-8", "favicon.svg": "image/svg+xml",
	} {
		data, contentType, ok := Open(URL(name))
		if !ok || len(data) == 0 || contentType != want {
			t.Errorf("%s: got %d bytes, %q, %v", URL(name), len(data), contentType, ok)
		}
		if _, _, ok := Open("/static/" + name); ok {
			t.Errorf("%s is served without its hash, and would be cached for ever", name)
		}
	}
}

// TestScriptsAskNothingOfTheContentPolicy looks for what a strict policy
// refuses at run time, in the scripts that are ours.
func TestScriptsAskNothingOfTheContentPolicy(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"app.js", "theme.js"} {
		data, _, _ := Open(URL(name))
		for _, word := range []string{"eval(", "new Function", "innerHTML", "insertAdjacentHTML", "document.write"} {
			if bytes.Contains(data, []byte(word)) {
				t.Errorf("%s uses %s", name, strings.TrimSuffix(word, "("))
			}
		}
	}
}
