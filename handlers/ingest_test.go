package handlers

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

func TestIngestTable(t *testing.T) {
	t.Parallel()
	w := setup(t, func(o *Options) { o.MaxBodyBytes = 300 })
	w.source(object{"slug": "plain"})
	w.source(object{"slug": "off", "is_disabled": true})
	w.source(object{"slug": "slow", "rate_limit": 1})
	w.source(object{"slug": "dedup", "idempotency_keys": []string{"request.header.X-Id"}})
	w.source(object{"slug": "own", "custom_response": object{"status": 201, "content_type": "text/plain", "body": "thanks"}, "idempotency_keys": []string{"request.header.X-Id"}})
	// GitHub's documented example.
	w.source(object{"slug": "github", "verifier": object{"type": "github", "secret": "It's a Secret to Everybody"}})
	w.source(object{"slug": "hmac", "verifier": object{"type": "hmac", "header": "X-Hub-Signature-256", "secret": "It's a Secret to Everybody", "prefix": "sha256="}})
	const hello, signed = "Hello, World!", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	var first string
	for _, c := range []struct {
		method, path, body string
		headers            []string
		status             int
		code               relay.Kind // of a problem
		kept               int
	}{
		{"POST", "/in/plain", hello, nil, 202, "", 1},
		{"PUT", "/in/plain", hello, nil, 202, "", 1},
		{"PATCH", "/in/plain?a=b", "", nil, 202, "", 1},
		{"GET", "/in/plain", "", nil, 405, kindMethodNotAllowed, 0},
		{"DELETE", "/in/plain", "", nil, 405, kindMethodNotAllowed, 0},
		{"POST", "/in/nobody", hello, nil, 404, relay.KindNotFound, 0},
		{"POST", "/in/off", hello, nil, 410, relay.KindGone, 0},
		{"POST", "/in/plain", strings.Repeat("x", 300), nil, 202, "", 1},
		{"POST", "/in/plain", strings.Repeat("x", 301), nil, 413, relay.KindTooLarge, 0},
		{"POST", "/in/slow", hello, nil, 202, "", 1},
		{"POST", "/in/slow", hello, nil, 429, relay.KindRateLimited, 0},
		{"POST", "/in/dedup", hello, []string{"X-Id", "1"}, 202, "", 1},
		{"POST", "/in/dedup", "other", []string{"X-Id", "1"}, 200, "", 1},
		{"POST", "/in/dedup", hello, []string{"X-Id", "2"}, 202, "", 1},
		{"POST", "/in/github", hello, []string{"X-Hub-Signature-256", signed}, 202, "", 1},
		{"POST", "/in/hmac", hello, []string{"x-hub-signature-256", signed}, 202, "", 1},
		{"POST", "/in/github", hello + " ", []string{"X-Hub-Signature-256", signed}, 401, relay.KindUnauthorized, 1},
		{"POST", "/in/github", hello, nil, 401, relay.KindUnauthorized, 1},
		{"POST", "/in/hmac", hello, []string{"X-Hub-Signature-256", strings.ToUpper(signed)}, 401, relay.KindUnauthorized, 1},
	} {
		w.clock.advance(2 * time.Millisecond)
		before := w.count()
		got := w.call(c.method, c.path, c.body, c.headers...)
		if c.code != "" {
			got.problem(t, c.status, c.code)
		} else {
			out := got.json(t, c.status)
			id, _ := out["event_id"].(string)
			if duplicate := c.status == 200; out["duplicate"] != duplicate || duplicate && (out["status"] != "duplicate" || id != first) {
				t.Errorf("%s %s: %v, first %s", c.method, c.path, out, first)
			}
			if _, err := relay.ParseID(relay.PrefixEvent, id); err != nil || c.status == 202 && out["status"] != "unmatched" {
				t.Errorf("%s %s: %v", c.method, c.path, out)
			}
			first = id
		}
		if c.status == 429 && got.Header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
		}
		if kept := w.count() - before; kept != c.kept {
			t.Errorf("%s %s: %d events kept, want %d", c.method, c.path, kept, c.kept)
		}
	}
	w.clock.advance(time.Second)
	w.call("POST", "/in/slow", hello).json(t, 202)

	own := w.call("POST", "/in/own", "x", "X-Id", "1")
	if own.StatusCode != 201 || own.text != "thanks" || own.Header.Get("Content-Type") != "text/plain" || own.Header.Get("X-Request-Id") == "" {
		t.Errorf("own answer: %d %s %v", own.StatusCode, own.text, own.Header)
	}

	bad := w.api("GET", "/api/v1/events?signature_valid=false", nil).rows(t)
	for i, verdict := range []string{"malformed_header", "missing_header", "bad_signature"} {
		if bad[i]["verdict"] != verdict || bad[i]["status"] != "rejected" {
			t.Errorf("rejected: %v", bad[i])
		}
	}
}

// count is how many events the project has.
func (w *world) count() int {
	return len(w.api("GET", "/api/v1/events?limit=100", nil).rows(w.t))
}

func TestIngestKeepsBytes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src := w.source(object{"event_type_location": "request.header.X-Kind"})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(bytes.Repeat([]byte("a"), 1<<20))
	_ = z.Close()
	big := bytes.Repeat([]byte{0, 0xff, '\n', '{'}, 5<<20/4)
	for _, c := range []struct {
		body    []byte
		headers []string
	}{
		{packed.Bytes(), []string{"Content-Encoding", "gzip"}},
		{[]byte("not gzip at all"), []string{"Content-Encoding", "gzip"}},
		{[]byte("not brotli"), []string{"Content-Encoding", "br, deflate, zstd"}},
		{big, nil},
		{[]byte("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"), []string{"Content-Type", "multipart/form-data; boundary=b"}},
		{[]byte("a=1&b=%zz"), []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{[]byte(strings.Repeat("[", 200_000)), []string{"Content-Type", "application/json"}},
		{nil, nil},
	} {
		id := w.event(src, string(c.body), c.headers...)
		if got := w.api("GET", "/api/v1/events/"+id+"/raw", nil); got.text != string(c.body) {
			t.Errorf("%v: %d bytes came back, want %d", c.headers, len(got.text), len(c.body))
		}
	}
}

// The headers of a request are another request's memory soon after.
func TestIngestCopies(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src := w.source(nil)
	conn := w.dial()
	var ids []string
	for i := range 20 {
		body := fmt.Sprintf("body %02d", i)
		answer := conn.exchange(fmt.Sprintf("POST /in/%s?n=%02d HTTP/1.1\r\nhOST: x\r\nX-Number: %02d\r\nx-many: a\r\nX-Many:b\r\nX-MANY: \t c \r\nContent-Length: %d\r\n\r\n%s",
			src["slug"], i, i, len(body), body))
		var out struct {
			ID string `json:"event_id"`
		}
		w.must(json.Unmarshal([]byte(answer.text), &out))
		ids = append(ids, out.ID)
	}
	for i, text := range ids {
		id, err := relay.ParseID(relay.PrefixEvent, text)
		w.must(err)
		p, err := w.store.Payload(context.Background(), id)
		w.must(err)
		n := fmt.Sprintf("%02d", i)
		want := relay.Payload{Method: "POST", Query: "n=" + n, IP: "127.0.0.1", Body: []byte("body " + n), Headers: relay.Headers{
			{Name: "hOST", Value: "x"}, {Name: "X-Number", Value: n}, {Name: "x-many", Value: "a"}, {Name: "X-Many", Value: "b"},
			{Name: "X-MANY", Value: "c"}, {Name: "Content-Length", Value: "7"}}}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Fatalf("event %d: %s", i, diff)
		}
	}
}

func TestIngestDuplicatesAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src := w.source(object{"idempotency_keys": []string{"request.body.id"}})
	w.endpointFor(nil)
	ids := make([]string, 200)
	firsts := make([]bool, len(ids))
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			got := w.call("POST", "/in/"+src["slug"].(string), `{"id":"evt_1"}`)
			var out struct {
				ID        string `json:"event_id"`
				Duplicate bool   `json:"duplicate"`
			}
			if err := json.Unmarshal([]byte(got.text), &out); err != nil {
				t.Error(err, got.text)
			}
			ids[i], firsts[i] = out.ID, !out.Duplicate
			if want := map[bool]int{true: 202, false: 200}[!out.Duplicate]; got.StatusCode != want {
				t.Errorf("status %d, want %d", got.StatusCode, want)
			}
		})
	}
	wait.Wait()
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != 1 {
		t.Errorf("%d ids", len(ids))
	}
	if n := len(slices.DeleteFunc(firsts, func(first bool) bool { return !first })); n != 1 {
		t.Errorf("%d were the first", n)
	}
	if n := len(w.deliveriesOf(ids[0])); n != 1 {
		t.Errorf("%d deliveries", n)
	}
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	if len(w.queue.received) != 1 {
		t.Errorf("%d were handed to the workers", len(w.queue.received))
	}
}

func TestIngestTellsTheQueue(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src := w.source(nil)
	active, paused := w.endpointFor(nil), w.endpointFor(object{"status": "paused"})
	w.endpointFor(object{"status": "disabled"})
	w.queue.received = nil
	id := w.event(src, "x")
	if got := w.queue.received; len(got) != 1 || relay.PrefixEvent.Format(got[0].ID) != id {
		t.Errorf("told of %v, want %s", got, id)
	}
	var got []string
	for _, d := range w.deliveriesOf(id) {
		if d["status"] != "pending" {
			t.Errorf("delivery: %v", d)
		}
		got = append(got, d["endpoint_id"].(string))
	}
	slices.Sort(got)
	both := []string{active["id"].(string), paused["id"].(string)}
	slices.Sort(both)
	if diff := cmp.Diff(both, got); diff != "" {
		t.Error(diff)
	}
}

func TestIngestWithoutDatabase(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src := w.source(nil)
	w.must(w.store.Close())
	got := w.call("POST", "/in/"+src["slug"].(string), "x")
	got.problem(t, 503, relay.KindUnavailable)
	if got.Header.Get("Retry-After") == "" || strings.Contains(got.text, "sql") {
		t.Errorf("%v %s", got.Header, got.text)
	}
}

// BenchmarkIngest has many clients at once, so that they share commits.
func BenchmarkIngest(b *testing.B) {
	w := setup(b)
	src := w.source(nil)
	w.endpointFor(nil)
	addr := w.listen()
	request := fmt.Sprintf("POST /in/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nUser-Agent: bench\r\nContent-Length: 15\r\n\r\n{\"type\":\"push\"}", src["slug"])
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		conn := dial(b, addr)
		for pb.Next() {
			conn.send(request)
			if got, err := conn.read(); err != nil || got.StatusCode != 202 {
				b.Error(err, got.text)
				return
			}
		}
	})
}

// TestWhatFollowsTheSlugIsKept posts to addresses below a source's own, which
// once were answered with 404.
func TestWhatFollowsTheSlugIsKept(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.source(object{"slug": "shop"})
		for path, kept := range map[string]string{
			"/in/shop": "", "/in/shop/": "", "/in/shop/eu/orders": "/eu/orders", "/in/shop/eu/": "/eu/", "/in/shop//": "//",
			"/in/shop/a%2Fb/%C3%AB?x=1": "/a%2Fb/%C3%AB", "/in/shop/../../api/v1/events": "/../../api/v1/events", "/in/shop/shop": "/shop",
		} {
			for _, method := range []string{"POST", "PUT", "PATCH"} {
				id := w.call(method, path, "x").json(t, 202)["event_id"].(string)
				if got := w.api("GET", "/api/v1/events/"+id, nil).data(t, 200)["path"]; got != kept {
					t.Errorf("%s %s: path %q, want %q", method, path, got, kept)
				}
			}
			w.call("GET", path, nil).problem(t, 405, kindMethodNotAllowed)
		}
		for _, path := range []string{"/in/", "/in//shop", "/in/shopping/eu", "/in/../shop", "/in/%2e%2e/shop", "/IN/shop/"} {
			if got := w.call("POST", path, "x"); got.StatusCode != 404 {
				t.Errorf("%s: %d", path, got.StatusCode)
			}
		}
		if page := w.call("GET", "/events/"+w.call("POST", "/in/shop/eu/orders", "x").json(t, 202)["event_id"].(string), nil, "Cookie", w.logIn(testEmail)); !strings.Contains(page.text, "/eu/orders") {
			t.Error("the page does not show the path")
		}
	})
}

// TestPresetsBringTheirKeys makes sources with presets, changes and switches off
// what they bring, and repeats requests.
func TestPresetsBringTheirKeys(t *testing.T) {
	t.Parallel()
	w := setup(t)
	github := w.source(object{"slug": "github", "verifier": object{"type": "github", "secret": "It's a Secret to Everybody"}})
	if diff := cmp.Diff([]any{"request.header.X-GitHub-Delivery"}, github["idempotency_keys"]); diff != "" {
		t.Error(diff)
	}
	path := "/api/v1/sources/" + github["id"].(string)
	post := func(want int) object {
		t.Helper()
		return w.call("POST", "/in/github", "Hello, World!", "X-GitHub-Delivery", "d1",
			"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17").json(t, want)
	}
	first := post(202)
	if again := post(200); again["event_id"] != first["event_id"] || again["duplicate"] != true {
		t.Errorf("the repetition: %v", again)
	}
	off := w.api("PATCH", path, object{"idempotency_keys": []string{}}).data(t, 200)
	if len(off["idempotency_keys"].([]any)) != 0 {
		t.Errorf("switched off: %v", off["idempotency_keys"])
	}
	post(202)
	w.api("PATCH", path, object{"name": "Hub"}).data(t, 200)
	post(202)
	w.api("PATCH", path, object{"idempotency_keys": []string{"request.header.X-GitHub-Delivery"}}).data(t, 200)
	changed := w.api("PATCH", path, object{"provider": "stripe", "verifier": object{"type": "stripe", "secret": "whsec_x"}}).data(t, 200)
	if diff := cmp.Diff([]any{"request.body.id"}, changed["idempotency_keys"]); diff != "" {
		t.Errorf("those of the new preset: %s", diff)
	}
	own := w.source(object{"provider": "github", "idempotency_keys": []string{"request.body.id"}})
	if diff := cmp.Diff([]any{"request.body.id"}, own["idempotency_keys"]); diff != "" {
		t.Errorf("a person's own: %s", diff)
	}
}

// TestAnswersAreWhatProvidersTake: Mailgun sends for hours what was answered
// with 202, and a duplicate at a source with an answer of its own gets that.
func TestAnswersAreWhatProvidersTake(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.source(object{"slug": "mail", "provider": "mailgun", "verifier": object{"type": "noop"}})
	w.call("POST", "/in/mail", `{"event-data":{"id":"a","event":"opened"}}`).json(t, 200)
	w.source(object{"slug": "own", "custom_response": object{"status": 201, "body": "thanks"}, "idempotency_keys": []string{"request.header.X-Id"}})
	for range 2 {
		if got := w.call("POST", "/in/own", "x", "X-Id", "1"); got.StatusCode != 201 || got.text != "thanks" {
			t.Errorf("%d %s", got.StatusCode, got.text)
		}
	}
}

// TestAUsedTokenIsRefused sends a Mailgun token again, which signs nothing of the
// body: with another event it is refused, with its own it is a repetition.
func TestAUsedTokenIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.source(object{"slug": "mail", "verifier": object{"type": "mailgun", "secret": "key"}})
		body := func(token, event string) string {
			at := strconv.FormatInt(w.clock.Now().Unix(), 10)
			mac := hmac.New(sha256.New, []byte("key"))
			mac.Write([]byte(at + token))
			return fmt.Sprintf(`{"signature":{"timestamp":%q,"token":%q,"signature":%q},"event-data":{"id":%q,"event":"opened"}}`,
				at, token, hex.EncodeToString(mac.Sum(nil)), event)
		}
		first := w.call("POST", "/in/mail", body("t1", "e1")).json(t, 200)
		if again := w.call("POST", "/in/mail", body("t1", "e1")).json(t, 200); again["duplicate"] != true || again["event_id"] != first["event_id"] {
			t.Errorf("the same event again: %v", again)
		}
		w.call("POST", "/in/mail", body("t1", "forged")).problem(t, 401, relay.KindUnauthorized)
		w.call("POST", "/in/mail", body("t2", "e2")).json(t, 200)
		var all sync.WaitGroup
		var taken atomic.Int64
		for i := range 20 { // many in one commit
			all.Go(func() {
				if w.call("POST", "/in/mail", body("t3", fmt.Sprint("f", i))).StatusCode == 200 {
					taken.Add(1)
				}
			})
		}
		all.Wait()
		if n := taken.Load(); n != 1 {
			t.Errorf("%d events with one token", n)
		}
		if rows := w.api("GET", "/api/v1/events?signature_valid=false&limit=1", nil).rows(t); rows[0]["verdict"] != "used_token" || rows[0]["status"] != "rejected" {
			t.Errorf("what is kept of it: %v", rows[0])
		}
	})
}
