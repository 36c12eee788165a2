package handlers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// harmless checks that a browser runs nothing of an answer, unless it is one
// of our pages or scripts.
func (a answer) harmless(t testing.TB, what string) {
	t.Helper()
	policy, kind := a.Header.Get("Content-Security-Policy"), a.Header.Get("Content-Type")
	if a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: a browser may guess its type", what)
	}
	switch {
	case policy == contentPolicy:
	case !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "sandbox"):
		t.Errorf("%s: Content-Security-Policy is %q", what, policy)
	case strings.HasPrefix(a.Request.URL.Path, "/static/"):
	case !strings.HasPrefix(kind, "application/json") && kind != problemType && !strings.HasPrefix(kind, "text/plain") && kind != "" &&
		kind != "application/x-www-form-urlencoded" && kind != "application/octet-stream" && kind != "text/event-stream" && kind != "text/csv; charset=utf-8":
		t.Errorf("%s: its type is %q", what, kind)
	}
}

func TestEveryAnswerIsHarmless(t *testing.T) {
	t.Parallel()
	w := setup(t, func(o *Options) { o.MaxBodyBytes = 300 })
	ids := w.ownIDs()
	cookie := w.logIn(testEmail)
	routes := w.GetRoutes(true)
	if len(routes) < 150 {
		t.Fatalf("only %d routes", len(routes))
	}
	for _, r := range routes {
		path := strings.NewReplacer(":slug", "nobody", "*", "x").Replace(r.Path)
		own := path
		for _, name := range r.Params {
			kind := name
			if name == "id" {
				kind = strings.Split(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(r.Path, "/api"), "/v1"), "/"), "/")[0]
			}
			own, path = strings.Replace(own, ":"+name, ids[kind], 1), strings.Replace(path, ":"+name, "x", 1)
		}
		for who, headers := range map[string][]string{
			"nobody": nil, "a key": {"Authorization", "Bearer " + w.mine.write}, "a person": {"Cookie", cookie, "Sec-Fetch-Site", "same-origin"},
		} {
			w.call(r.Method, path, nil, headers...).harmless(t, r.Method+" "+path+" as "+who)
			if r.Method == "GET" && !strings.HasSuffix(own, "/stream") {
				w.call(r.Method, own, nil, headers...).harmless(t, r.Method+" "+own+" as "+who)
			}
		}
	}
	w.source(object{"slug": "plain", "idempotency_keys": []string{"request.header.X-Id"}})
	w.source(object{"slug": "off", "is_disabled": true})
	w.source(object{"slug": "own", "custom_response": object{"body": "<script>"}})
	w.source(object{"slug": "signed", "verifier": object{"type": "github", "secret": "s3cret"}})
	for _, path := range []string{"/in/plain", "/in/plain", "/in/plain/a", "/in/off", "/in/own", "/in/signed", "/in/nobody", "/nothing", "/in"} {
		w.call("POST", path, "<script>alert(1)</script>", "X-Id", "1", "Content-Type", "text/html").harmless(t, path)
	}
	w.call("POST", "/in/plain", strings.Repeat("x", 301)).harmless(t, "a body that is too long")
	w.call("TRACE", "/in/plain", nil).harmless(t, "TRACE")
}

func TestCustomResponseIsNothingThatABrowserRuns(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src := w.source(object{"slug": "own"})
	path := "/api/v1/sources/" + src["id"].(string)
	for _, kind := range []string{
		"text/xml", "application/xml", "application/xhtml+xml", "image/svg+xml", "text/html", "TEXT/HTML; charset=utf-8", "text/javascript",
		"application/pdf", "multipart/form-data", "text/plain, text/html", "text/html;text/plain", "*/*", "text/xml-external-parsed-entity",
	} {
		fields := w.api("PATCH", path, object{"custom_response": object{"body": "x", "content_type": kind}}).problem(t, 422, relay.KindValidation)
		if len(fields) != 1 || fields[0] != "custom_response.content_type" {
			t.Errorf("%s: %v", kind, fields)
		}
	}
	for _, kind := range []string{"text/plain", "Application/JSON; charset=utf-8", "application/problem+json", "application/x-www-form-urlencoded"} {
		w.api("PATCH", path, object{"custom_response": object{"body": "x", "content_type": kind}}).data(t, 200)
		if got := w.call("POST", "/in/own", "x").Header.Get("Content-Type"); got != kind {
			t.Errorf("answered as %q, want %q", got, kind)
		}
	}
	// What an earlier version took.
	old := relay.CustomResponse{ContentType: "application/xml", Body: "<x/>"}
	if got := old.AnswerType(); got != "text/plain; charset=utf-8" {
		t.Errorf("XML is answered as %q", got)
	}
}

func TestIngestHostServesNothingElse(t *testing.T) {
	t.Parallel()
	w := setup(t, func(o *Options) { o.IngestURL = "https://in.reprise.test" })
	src := w.source(object{"slug": "shop"})
	if src["url"] != "https://in.reprise.test/in/shop" {
		t.Errorf("the source is said to be at %v", src["url"])
	}
	cookie := w.logIn(testEmail)
	unknown := ""
	for _, r := range w.GetRoutes(true) {
		if strings.HasPrefix(r.Path, "/in/") || r.Method == "HEAD" {
			continue
		}
		for _, host := range []string{"in.reprise.test", "IN.reprise.test:443", "in.reprise.test."} {
			got := w.callAt(host, r.Method, r.Path, nil, "Cookie", cookie, "X-Forwarded-Host", "reprise.test", "Authorization", "Bearer "+w.mine.write)
			got.problem(t, 404, relay.KindNotFound)
			text := requestIDText.ReplaceAllString(got.text, "")
			if unknown == "" {
				unknown = text
			}
			if text != unknown {
				t.Errorf("%s %s at %s: %s", r.Method, r.Path, host, got.text)
			}
		}
	}
	w.callAt("in.reprise.test", "POST", "/in/shop", "x").json(t, 202)
	w.call("POST", "/in/shop", "x").json(t, 202) // what was registered before goes on
	w.callAt("in.reprise.test:8443", "GET", "/login", nil).harmless(t, "another port is another site")

	// A scheme that signs the URL takes the one that was called.
	w.source(object{"slug": "square", "verifier": object{"type": "square", "secret": "k"}})
	for host, site := range map[string]string{"in.reprise.test": "https://in.reprise.test", "reprise.test": testURL} {
		mac := hmac.New(sha256.New, []byte("k"))
		mac.Write([]byte(site + "/in/square/eu?a=b" + "body"))
		signed := base64.StdEncoding.EncodeToString(mac.Sum(nil))
		w.callAt(host, "POST", "/in/square/eu?a=b", "body", "X-Square-HmacSha256-Signature", signed).json(t, 202)
	}
}
