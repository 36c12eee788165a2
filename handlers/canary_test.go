package handlers

import (
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

// canary is in every secret that TestSecretsAreNeverShown plants.
const canary = "canary7f3a91"

// TestSecretsAreNeverShown plants secrets wherever the product takes one and
// then looks for them in all that it shows, logs and stores. What a provider
// proves itself by was once kept plain in every event, and shown.
func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "c.db")
		testCanary(t, "sqlite://"+path, func() string {
			all := ""
			for _, file := range []string{path, path + "-wal"} {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				all += string(text)
			}
			return all
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := dbtest.Postgres(t)
		testCanary(t, url, func() string { return dbtest.EveryRow(t, url) })
	})
}

type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func testCanary(t *testing.T, url string, stored func() string) {
	var log lockedText
	w := setupOn(t, url, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	credentials := map[string][]string{
		"basic":  {"Authorization", "Basic dTpwYXNzLWNhbmFyeTdmM2E5MQ=="}, // u:pass-canary7f3a91
		"acme":   {"X-Acme-Entry", "entry-" + canary},
		"former": {"X-Former-Entry", "entry-" + canary},
		"gitlab": {"X-Gitlab-Token", "token-" + canary},
		"gone":   {"X-Gone-Entry", "entry-" + canary},
		"open":   {"Authorization", "Bearer " + canary, "Cookie", "a=" + canary, "X-Access-Token", canary},
	}
	verifiers := map[string]object{
		"basic":  {"type": "basic_auth", "basic_auth": object{"username": "u", "password": "pass-" + canary}},
		"acme":   {"type": "api_key", "api_key": object{"header_name": "X-Acme-Entry", "header_value": "entry-" + canary}},
		"former": {"type": "api_key", "api_key": object{"header_name": "X-Former-Entry", "header_value": "entry-" + canary}},
		"gitlab": {"type": "gitlab", "secret": "token-" + canary},
		"gone":   {"type": "api_key", "api_key": object{"header_name": "X-Gone-Entry", "header_value": "entry-" + canary}},
		"open":   {"type": "noop"},
	}
	ids := w.ownIDs()
	endpoint := "/api/v1/endpoints/" + ids["endpoint"]
	w.api("PATCH", endpoint, object{
		"headers":           object{"Authorization": canary, "X-Client-Secret": canary, "X-Team": "a"},
		"authentication":    object{"type": "bearer", "bearer": object{"token": "token-" + canary}},
		"slack_webhook_url": "https://hooks.slack.example/services/" + canary,
	}).data(t, 200)
	w.source(object{"slug": "signed", "verifier": object{"type": "hmac", "header": "X-Sig", "secret": canary}})
	var events []string
	sources := map[string]object{}
	for slug, headers := range credentials {
		sources[slug] = w.source(object{"slug": slug, "verifier": verifiers[slug]})
		events = append(events, w.event(sources[slug], "{}", headers...))
	}
	w.api("PATCH", "/api/v1/sources/"+sources["former"]["id"].(string), object{"verifier": object{"type": "noop"}}).data(t, 200)
	w.api("DELETE", "/api/v1/sources/"+sources["gone"]["id"].(string), nil)
	w.settle(relay.DeliveryDLQ, 500)
	cookie := w.logIn(testEmail)

	look := func(what, text string) {
		t.Helper()
		for _, secret := range []string{canary, hex.EncodeToString([]byte(canary)), "Y2FuYXJ5", "NhbmFyeTdmM2E5MQ", w.mine.write, w.mine.read, strings.SplitN(cookie, "=", 2)[1]} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s shows %s: …%.120q…", what, secret, text[max(0, at-80):])
			}
		}
	}
	for _, r := range w.GetRoutes(true) {
		if r.Method != "GET" || strings.HasSuffix(r.Path, "/stream") || r.Path == "/api/v1/events/:id/raw" {
			continue
		}
		kind := strings.Split(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(r.Path, "/api"), "/v1"), "/"), "/")[0]
		path := strings.NewReplacer(":id", ids[kind], ":s", ids["source"], ":source", ids["source"], ":w", ids["endpoint"], ":endpoint", ids["endpoint"], "*", "x").Replace(r.Path)
		for _, headers := range [][]string{{"Authorization", "Bearer " + w.mine.read}, {"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}} {
			look("GET "+path, w.call("GET", path, nil, headers...).text)
		}
	}
	look("the list of deliveries", w.api("GET", "/api/v1/deliveries?limit=100", nil).text)
	for _, id := range events {
		look("an event", w.api("GET", "/api/v1/events/"+id, nil).text)
		look("the page of an event", w.call("GET", "/events/"+id, nil, "Cookie", cookie).text)
		look("an event replayed as Convoy does", w.api("PUT", "/api/v1/projects/"+ids["project"]+"/events/"+id+"/replay", nil).text)
		for _, d := range w.deliveriesOf(id) {
			look("a delivery", w.api("GET", "/api/v1/deliveries/"+d["id"].(string), nil).text)
			look("the page of a delivery", w.call("GET", "/deliveries/"+d["id"].(string), nil, "Cookie", cookie).text)
		}
	}
	for _, tab := range []string{"/endpoints/" + ids["endpoint"] + "?tab=settings", "/sources/" + sources["acme"]["id"].(string) + "?tab=settings"} {
		look(tab, w.call("GET", tab, nil, "Cookie", cookie).text)
	}
	look("the log", log.text.String())
	look("the database", stored())

	// What is shown masked may be sent back, and changes nothing.
	shown := w.api("GET", endpoint, nil).data(t, 200)
	w.api("PATCH", endpoint, object{"headers": shown["headers"], "slack_webhook_url": shown["slack_webhook_url"]}).data(t, 200)
	id, err := relay.ParseID(relay.PrefixEndpoint, ids["endpoint"])
	w.must(err)
	e, err := w.store.Endpoint(w.mine.project.ID, id)
	w.must(err)
	if !strings.HasSuffix(e.SlackWebhookURL, canary) || e.Headers.Get("X-Client-Secret") != canary {
		t.Errorf("a masked value was taken for a new one: %q %q", e.SlackWebhookURL, e.Headers)
	}
}
