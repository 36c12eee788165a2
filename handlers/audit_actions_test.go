package handlers

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestAuditActionsAreThoseWritten holds the actions that the page offers against
// those in the code that writes: one that nothing writes finds nothing.
func TestAuditActionsAreThoseWritten(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for _, dir := range []string{".", "../db/internal/*", "../jobs", "../web"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || file == "page_audit.go" {
				continue
			}
			text, err := os.ReadFile(filepath.Clean(file))
			if err != nil {
				t.Fatal(err)
			}
			code.Write(text)
		}
	}
	for _, action := range auditActions {
		noun, verb, _ := strings.Cut(action, ".")
		if !strings.Contains(code.String(), `"`+action+`"`) && (noun != "replay_job" || !strings.Contains(code.String(), `"`+verb+`"`)) {
			t.Errorf("nothing writes %s", action)
		}
	}
	for _, found := range regexp.MustCompile(`"((?:session|user|api_key|project|source|endpoint|event|webhook_delivery|dead_letters)\.[a-z_]+)"`).FindAllStringSubmatch(code.String(), -1) {
		if action := found[1]; !slices.Contains(auditActions, action) && !slices.Contains(notActions, action) {
			t.Errorf("%s is written and not offered", action)
		}
	}
}

// notActions look like actions and are names of fields or of events.
var notActions = []string{}
