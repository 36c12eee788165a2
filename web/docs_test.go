package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
)

// everySource is the text of all files of a kind in this repository.
func everySource(t *testing.T, ending string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("..", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ending) {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestReliabilityNamesWhatThereIs looks for every check, command, setting and metric
// that the page names.
func TestReliabilityNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	fields, err := env.GetFieldParams(&Config{})
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]bool{}
	for _, f := range fields {
		settings[f.Key] = true
	}
	tests, code := everySource(t, "_test.go"), everySource(t, ".go")
	for what, named := range map[string]struct {
		pattern string
		exists  func(name string) bool
	}{
		"test":    {`\b(Test[A-Z]\w+)`, func(name string) bool { return strings.Contains(tests, "\nfunc "+name+"(t *testing.T) {") }},
		"check":   {"`torture: ([^`]+)`", func(name string) bool { return strings.Contains(code, `result{name: "`+name+`"}`) }},
		"target":  {`(?m)(?:^|` + "`" + `)make ([a-z]+)`, func(name string) bool { return strings.Contains(string(makefile), "\n"+name+": ") }},
		"command": {"`reprise ([^`]+)`", commandExists},
		"setting": {`\b(REPRISE_[A-Z_]+)`, func(name string) bool { return settings[name] }},
		"metric":  {`\b(reprise_[a-z_]+)`, func(name string) bool { return strings.Contains(code, `"`+name+`"`) }},
	} {
		found := regexp.MustCompile(named.pattern).FindAllStringSubmatch(string(page), -1)
		if len(found) == 0 {
			t.Errorf("the page names no %s", what)
		}
		for _, m := range found {
			if !named.exists(m[1]) {
				t.Errorf("there is no %s %q", what, m[1])
			}
		}
	}
}

// commandExists reports whether the program has a command and its flags.
func commandExists(line string) bool {
	command, rest, err := rootCommand().Find(strings.Fields(line))
	return err == nil && command.Runnable() && command.ParseFlags(rest) == nil
}

func TestLinksOfTheDocsLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"../README.md", "../CONTRIBUTING.md", "../SECURITY.md", "../docs/reliability.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}
