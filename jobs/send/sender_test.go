package send

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

func TestSendSuccess(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	r := newReceiver(t, answering(201, "thanks", "X-B: 2", "X-A: 1", "X-B: 3"))
	s := newTestSender(t, func(o *Options) { o.Now = func() time.Time { return at } })
	res := s.Send(t.Context(), requestTo(r.URL))
	want := Result{
		Result:       relay.Result{Outcome: relay.OutcomeSuccess, Status: 201},
		ResponseBody: []byte("thanks"),
		ResponseHeaders: relay.Headers{
			{Name: "Content-Length", Value: "6"}, {Name: "X-A", Value: "1"}, {Name: "X-B", Value: "2"}, {Name: "X-B", Value: "3"},
		},
		StartedAt:      at,
		RequestHeaders: res.RequestHeaders,
	}
	if diff := cmp.Diff(want, res); diff != "" {
		t.Error(diff)
	}
	if a := r.one(t); a.Line != "POST /hook HTTP/1.1" || string(a.Body) != `{"a":1}` {
		t.Errorf("arrived: %s %q", a.Line, a.Body)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	cases := map[int]struct {
		outcome relay.Outcome
		says    string
	}{
		200: {relay.OutcomeSuccess, ""}, 204: {relay.OutcomeSuccess, ""}, 299: {relay.OutcomeSuccess, ""},
		300: {relay.OutcomeRedirect, "Redirects"}, 301: {relay.OutcomeRedirect, "https://elsewhere.example/x"},
		304: {relay.OutcomeRedirect, "304"}, 307: {relay.OutcomeRedirect, "final URL"}, 308: {relay.OutcomeRedirect, "308"},
		400: {relay.OutcomeStatus, "400 Bad Request"}, 401: {relay.OutcomeStatus, "authentication"}, 404: {relay.OutcomeStatus, "path"},
		410: {relay.OutcomeGone, "paused"}, 429: {relay.OutcomeStatus, "rate limit"},
		500: {relay.OutcomeStatus, "log"}, 599: {relay.OutcomeStatus, "599."}, 799: {relay.OutcomeStatus, "799"},
	}
	for status, c := range cases {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			headers := []string{"Retry-After: 7"}
			if status == 301 {
				headers = append(headers, "Location: https://elsewhere.example/x")
			}
			answer := answering(status, "", headers...)
			if status == 204 || status == 304 {
				answer = saying("HTTP/1.1 "+strconv.Itoa(status)+" X\r\nRetry-After: 7\r\n\r\n", true)
			}
			r := newReceiver(t, answer)
			res := newTestSender(t).Send(t.Context(), requestTo(r.URL))
			if res.Outcome != c.outcome || res.Status != status || res.RetryAfter != "7" {
				t.Errorf("%s %d %q", res.Outcome, res.Status, res.RetryAfter)
			}
			if !strings.Contains(res.Err, c.says) || (c.says == "") != (res.Err == "") {
				t.Errorf("says %q, want %q in it", res.Err, c.says)
			}
			r.one(t)
		})
	}
}

func TestBodiesAreExact(t *testing.T) {
	t.Parallel()
	bodies := map[string][]byte{
		"empty": nil, "NUL": {0, 1, 0}, "invalid UTF-8": {0xff, 0xfe, 0xc3, 0x28}, "line ends": []byte("a\r\n\r\nb\n"),
		"odd JSON": []byte(`{ "b":1.0,  "a":"\ud800","b":2 }`), "5 MiB": bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16),
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, answering(200, ""))
			s := newTestSender(t)
			for range 2 { // the second over the same connection
				res := s.Send(t.Context(), requestTo(r.URL, func(r *Request) { r.Body = body }))
				if res.Outcome != relay.OutcomeSuccess {
					t.Fatal(res.Err)
				}
			}
			for _, a := range r.got() {
				if !bytes.Equal(a.Body, body) || a.get("Content-Length") != strconv.Itoa(len(body)) {
					t.Errorf("%d bytes arrived, length %s; want %d", len(a.Body), a.get("Content-Length"), len(body))
				}
			}
		})
	}
}

// signatures verifies what arrived as a receiver would, without our own code.
func signatures(t *testing.T, a arrival, secrets ...string) {
	t.Helper()
	var want []string
	for _, s := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, a.get("webhook-id")+"."+a.get("webhook-timestamp")+"."+string(a.Body))
		want = append(want, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if got := a.get("webhook-signature"); got != strings.Join(want, " ") {
		t.Errorf("webhook-signature: %q, want %q", got, want)
	}
}

func TestSignedWithEveryLiveSecret(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r := newReceiver(t, answering(200, ""))
	s := newTestSender(t, func(o *Options) { o.Now = func() time.Time { return now } })
	secrets := []relay.Secret{{Value: secretA}, {Value: secretB, ExpiresAt: now.Add(time.Hour)}}
	send := func() arrival {
		t.Helper()
		if res := s.Send(t.Context(), requestTo(r.URL, func(r *Request) { r.Endpoint.Secrets = secrets })); res.Err != "" {
			t.Fatal(res.Err)
		}
		got := r.got()
		return got[len(got)-1]
	}
	first := send()
	signatures(t, first, secretA, secretB)
	if got := first.get("webhook-timestamp"); got != strconv.FormatInt(now.Unix(), 10) {
		t.Errorf("timestamp %s is not the time of sending", got)
	}
	now = now.Add(2 * time.Hour) // the second secret has expired
	later := send()
	signatures(t, later, secretA)
	if first.get("webhook-id") != later.get("webhook-id") {
		t.Error("webhook-id changed between attempts")
	}
}

func TestSecretsThatCannotSignSendNothing(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answering(200, ""))
	res := newTestSender(t).Send(t.Context(), requestTo(r.URL, func(r *Request) { r.Endpoint.Secrets = []relay.Secret{{Value: "whsec_short"}} }))
	if res.Outcome != relay.OutcomeInternal || !strings.Contains(res.Err, "Rotate") || len(r.got()) != 0 {
		t.Errorf("%s %q, %d arrived", res.Outcome, res.Err, len(r.got()))
	}
}

func TestLongAnswersAreCut(t *testing.T) {
	t.Parallel()
	gone := make(chan error, 1)
	flood := func(c net.Conn, _ arrival) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		chunk := []byte("1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n")
		for range 10 << 30 / 0x1000 {
			if _, err := c.Write(chunk); err != nil {
				gone <- err
				return false
			}
		}
		gone <- nil
		return false
	}
	for name, answer := range map[string]func(net.Conn, arrival) bool{
		"10 GB in chunks":  flood,
		"10 MB by length":  answering(200, strings.Repeat("x", 10<<20)),
		"one byte over":    answering(200, strings.Repeat("x", maxExcerpt+1)),
		"never any length": saying("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+strings.Repeat("x", 1<<20), false),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := newTestSender(t).Send(t.Context(), requestTo(newReceiver(t, answer).URL))
			if res.Outcome != relay.OutcomeSuccess || !res.Truncated || len(res.ResponseBody) != maxExcerpt {
				t.Errorf("%s %q, truncated %v, %d bytes", res.Outcome, res.Err, res.Truncated, len(res.ResponseBody))
			}
			if name == "10 GB in chunks" && <-gone == nil {
				t.Error("the whole answer was read")
			}
		})
	}
	t.Run("just fits", func(t *testing.T) {
		t.Parallel()
		r := newReceiver(t, answering(200, strings.Repeat("x", maxExcerpt)))
		s := newTestSender(t)
		for range 2 {
			if res := s.Send(t.Context(), requestTo(r.URL)); res.Truncated || len(res.ResponseBody) != maxExcerpt {
				t.Errorf("truncated %v, %d bytes", res.Truncated, len(res.ResponseBody))
			}
		}
		if r.conns != 1 {
			t.Error("the connection was not kept")
		}
	})
}

func TestDrippingBody(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(c net.Conn, _ arrival) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range time.Tick(50 * time.Millisecond) {
			if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
				break
			}
		}
		return false
	})
	res := newTestSender(t).Send(t.Context(), requestTo(r.URL))
	if res.Outcome != relay.OutcomeSuccess || res.Err != "" || !res.Truncated || len(res.ResponseBody) == 0 {
		t.Errorf("%s %q, truncated %v, %d bytes", res.Outcome, res.Err, res.Truncated, len(res.ResponseBody))
	}
	if res.Duration < excerptTimeout || res.Duration > excerptTimeout+time.Second {
		t.Errorf("took %s", res.Duration)
	}
}

func TestAnswersStayCompressed(t *testing.T) {
	t.Parallel()
	zipped := "\x1f\x8b\x08\x00not really gzip"
	r := newReceiver(t, answering(200, zipped, "Content-Encoding: gzip"))
	if res := newTestSender(t).Send(t.Context(), requestTo(r.URL)); string(res.ResponseBody) != zipped {
		t.Errorf("%q", res.ResponseBody)
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte{0, 0xff}, 1<<20)
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.ReadAll(r.Body)
		if !bytes.Equal(got, body) {
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, r.Proto)
	}))
	ts.EnableHTTP2 = true
	ts.StartTLS()
	t.Cleanup(ts.Close)
	s := newTestSender(t, func(o *Options) { o.RootCAs = ts.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs })
	res := s.Send(t.Context(), requestTo(ts.URL, func(r *Request) { r.Body = body }))
	if res.Outcome != relay.OutcomeSuccess || string(res.ResponseBody) != "HTTP/2.0" {
		t.Errorf("%s %q %q", res.Outcome, res.Err, res.ResponseBody)
	}
}

// A proxy in the environment would be connected to instead of the receiver,
// and the check of the address would look at the proxy.
func TestNoProxyFromTheEnvironment(t *testing.T) {
	s := newTestSender(t)
	if s.newTransport().Proxy != nil {
		t.Error("the transport asks for a proxy")
	}
}
