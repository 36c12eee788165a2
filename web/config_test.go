package main

import (
	"log/slog"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	got, err := LoadConfig(map[string]string{"REPRISE_API_KEY": "", "REPRISE_LOG_LEVEL": " "})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Addr:               "127.0.0.1:8080",
		PublicURL:          "http://127.0.0.1:8080",
		DatabaseURL:        "sqlite://data/reprise.db",
		RedisURL:           "embedded",
		MaxBodyBytes:       5 << 20,
		Concurrency:        64,
		ReplaysPerMinute:   10,
		TestFiresPerMinute: 20,
		APIRatePerMinute:   600,
		AuditDays:          365,
		RetryScale:         1,
		LogFormat:          "text",
		LogLevel:           slog.LevelInfo,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the defaults differ (-want +got):\n%s", diff)
	}
}

func TestConfigReadsEveryVariable(t *testing.T) {
	t.Parallel()
	got, err := LoadConfig(map[string]string{
		"REPRISE_ADDR":                  "[::]:9000",
		"REPRISE_PUBLIC_URL":            "https://hooks.example.com/",
		"REPRISE_INGEST_URL":            "https://in.example.com/",
		"DATABASE_URL":                  "postgres://u:p@db:5432/reprise?sslmode=disable",
		"REDIS_URL":                     "rediss://:secret@cache:6380/2",
		"REPRISE_SECRET_KEY":            strings.Repeat("0f", 32),
		"REPRISE_ADMIN_EMAIL":           "owner@example.com",
		"REPRISE_ADMIN_PASSWORD":        " spaces stay ",
		"REPRISE_API_KEY":               "rp_a_long_key",
		"REPRISE_EGRESS_ALLOW":          "127.0.0.0/8, ::1,10.1.2.3/8,",
		"REPRISE_TRUSTED_PROXIES":       "192.0.2.7",
		"REPRISE_MAX_BODY_BYTES":        "1024",
		"REPRISE_CONCURRENCY":           "8",
		"REPRISE_REPLAYS_PER_MINUTE":    "0",
		"REPRISE_TEST_FIRES_PER_MINUTE": "1",
		"REPRISE_API_RATE_PER_MINUTE":   "2",
		"REPRISE_AUDIT_DAYS":            "3",
		"REPRISE_RETRY_SCALE":           "0.001",
		"REPRISE_METRICS_TOKEN":         "scrape",
		"REPRISE_LOG_FORMAT":            "json",
		"REPRISE_LOG_LEVEL":             "debug",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Addr:          "[::]:9000",
		PublicURL:     "https://hooks.example.com",
		IngestURL:     "https://in.example.com",
		DatabaseURL:   "postgres://u:p@db:5432/reprise?sslmode=disable",
		RedisURL:      "rediss://:secret@cache:6380/2",
		SecretKey:     SecretKey(strings.Repeat("\x0f", 32)),
		AdminEmail:    "owner@example.com",
		AdminPassword: " spaces stay ",
		APIKey:        "rp_a_long_key",
		EgressAllow: Networks{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8"),
		},
		TrustedProxies:     Networks{netip.MustParsePrefix("192.0.2.7/32")},
		MaxBodyBytes:       1024,
		Concurrency:        8,
		TestFiresPerMinute: 1,
		APIRatePerMinute:   2,
		AuditDays:          3,
		RetryScale:         0.001,
		MetricsToken:       "scrape",
		LogFormat:          "json",
		LogLevel:           slog.LevelDebug,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("the settings differ (-want +got):\n%s", diff)
	}
}

func TestConfigReportsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := LoadConfig(map[string]string{
		"REPRISE_ADDR":                "8080",
		"REPRISE_PUBLIC_URL":          "https://example.com/hooks",
		"DATABASE_URL":                "mysql://root:hunter2@db/x",
		"REDIS_URL":                   "localhost:6379",
		"REPRISE_SECRET_KEY":          "hunter2",
		"REPRISE_ADMIN_EMAIL":         "nobody",
		"REPRISE_API_KEY":             "hunter2 with a space",
		"REPRISE_EGRESS_ALLOW":        "127.0.0.0/8,everything",
		"REPRISE_CONCURRENCY":         "many",
		"REPRISE_API_RATE_PER_MINUTE": "-1",
		"REPRISE_AUDIT_DAYS":          "0",
		"REPRISE_RETRY_SCALE":         "NaN",
		"REPRISE_LOG_LEVEL":           "loud",
	})
	if err == nil {
		t.Fatal("nothing was reported")
	}
	var names []string
	for _, line := range strings.Split(err.Error(), "\n") {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	want := []string{
		"REPRISE_ADDR", "REPRISE_PUBLIC_URL", "DATABASE_URL", "REDIS_URL", "REPRISE_SECRET_KEY", "REPRISE_ADMIN_EMAIL",
		"REPRISE_ADMIN_PASSWORD", "REPRISE_API_KEY", "REPRISE_EGRESS_ALLOW", "REPRISE_CONCURRENCY",
		"REPRISE_API_RATE_PER_MINUTE", "REPRISE_AUDIT_DAYS", "REPRISE_RETRY_SCALE", "REPRISE_LOG_LEVEL",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("the faulty variables differ (-want +got):\n%s\n%v", diff, err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is shown: %v", err)
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ variable, value string }{
		"port out of range":         {"REPRISE_ADDR", "127.0.0.1:70000"},
		"named port":                {"REPRISE_ADDR", "127.0.0.1:http"},
		"no scheme":                 {"REPRISE_PUBLIC_URL", "hooks.example.com"},
		"ingest URL with a path":    {"REPRISE_INGEST_URL", "https://in.example.com/in"},
		"ingest URL of the pages":   {"REPRISE_INGEST_URL", "http://127.0.0.1:8080"},
		"user in the public URL":    {"REPRISE_PUBLIC_URL", "https://a:b@example.com"},
		"SQLite without a path":     {"DATABASE_URL", "sqlite://"},
		"SQLite directory":          {"DATABASE_URL", "sqlite:///srv/"},
		"PostgreSQL without a host": {"DATABASE_URL", "postgres:///reprise"},
		"key too short":             {"REPRISE_SECRET_KEY", strings.Repeat("0f", 31)},
		"a short API key":           {"REPRISE_API_KEY", "a"},
		"password without e-mail":   {"REPRISE_ADMIN_PASSWORD", "secret"},
		"body limit of nothing":     {"REPRISE_MAX_BODY_BYTES", "0"},
		"body limit with a unit":    {"REPRISE_MAX_BODY_BYTES", "5MiB"},
		"no concurrency":            {"REPRISE_CONCURRENCY", "0"},
		"retries without a pause":   {"REPRISE_RETRY_SCALE", "0"},
		"log format":                {"REPRISE_LOG_FORMAT", "xml"},
		"line break in a token":     {"REPRISE_METRICS_TOKEN", "a\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if cfg, err := LoadConfig(map[string]string{tc.variable: tc.value}); err == nil {
				t.Errorf("%s=%q was taken: %+v", tc.variable, tc.value, cfg)
			}
		})
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		":8080":          "http://localhost:8080",
		"0.0.0.0:80":     "http://localhost:80",
		"[::]:9000":      "http://localhost:9000",
		"[::1]:9000":     "http://[::1]:9000",
	} {
		if got := publicURL(addr); got != want {
			t.Errorf("publicURL(%q) = %q, want %q", addr, got, want)
		}
	}
}

// TestSettingsAreDocumented compares the variables and their defaults in the
// code, in .env.example and in the README.
func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	fields, err := env.GetFieldParams(&Config{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range fields {
		want[f.Key] = f.DefaultValue
	}
	for _, doc := range []struct{ file, line string }{
		{"../.env.example", `(?m)^([A-Z_]+)=(.*)$`},
		{"../README.md", "(?m)^\\| `([A-Z_]+)` \\| (?:`([^`]*)`|–) \\|"},
	} {
		t.Run(doc.file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(doc.file)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, m := range regexp.MustCompile(doc.line).FindAllStringSubmatch(string(text), -1) {
				got[m[1]] = m[2]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the settings differ (-code +%s):\n%s", doc.file, diff)
			}
		})
	}
}
