package send

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

func headers(pairs ...string) relay.Headers {
	var hs relay.Headers
	for i := 0; i < len(pairs); i += 2 {
		hs = append(hs, relay.Header{Name: pairs[i], Value: pairs[i+1]})
	}
	return hs
}

func TestHeadersOnTheWire(t *testing.T) {
	t.Parallel()
	const gone = "" // must not arrive
	cases := map[string]struct {
		change func(*Request)
		want   map[string]string
	}{
		"ours": {nil, map[string]string{
			"webhook-id": "evt_0198c6f0-0000-7000-8000-000000000002", "X-Reprise-Delivery-Id": "wdl_0198c6f0-0000-7000-8000-000000000001",
			"X-Reprise-Event-Type": "invoice.paid", "X-Reprise-Attempt": "1", "Content-Type": "application/json", "User-Agent": "Reprise/test",
			"X-Reprise-Replay-Id": gone, "X-Reprise-Original-Timestamp": gone, "X-Reprise-Hops": gone,
			"Accept-Encoding": gone, "Authorization": gone,
		}},
		"replay": {func(r *Request) { r.IsReplay, r.ReplayRef, r.AttemptNumber = true, "rpl_x", 3 }, map[string]string{
			"X-Reprise-Replay-Id": "rpl_x", "X-Reprise-Original-Timestamp": "2026-11-22T10:00:00Z", "X-Reprise-Attempt": "3",
		}},
		"no content type": {func(r *Request) { r.ContentType = "" }, map[string]string{"Content-Type": gone}},
		"of the connection": {func(r *Request) {
			r.Headers = headers("Connection", "keep-alive, X-Hop", "Keep-Alive", "timeout=5", "TE", "trailers", "Trailer", "X-T", "Upgrade", "websocket",
				"Expect", "100-continue", "Proxy-Authorization", "x", "Proxy-Connection", "close", "Transfer-Encoding", "chunked", "Content-Length", "99999",
				"Host", "evil.example", "Accept-Encoding", "gzip", "X-Hop", "1", "X-Stays", "1")
		}, map[string]string{
			"Connection": gone, "Keep-Alive": gone, "TE": gone, "Trailer": gone, "Upgrade": gone, "Expect": gone, "Proxy-Authorization": gone,
			"Proxy-Connection": gone, "Transfer-Encoding": gone, "Content-Length": "7", "Accept-Encoding": gone, "X-Hop": gone, "X-Stays": "1",
		}},
		"private": {func(r *Request) {
			r.Headers = headers("Authorization", "Bearer in", "Cookie", "a=b", "X-Api-Key", "k", "X-Forwarded-For", "10.0.0.1", "X-Real-Ip", "10.0.0.1")
		}, map[string]string{"Authorization": gone, "Cookie": gone, "X-Api-Key": gone, "X-Forwarded-For": gone, "X-Real-Ip": gone}},
		"opted in": {func(r *Request) {
			r.Headers = headers("Authorization", "Bearer in", "X-Other", "1", "Content-Type", "application/json")
			r.Forward = []string{"authorization"}
		}, map[string]string{"Authorization": "Bearer in", "X-Other": gone, "Content-Type": "application/json"}},
		"our names from outside": {func(r *Request) {
			r.Headers = headers("Webhook-Id", "theirs", "webhook-signature", "v1,theirs", "X-Reprise-Attempt", "77")
		}, map[string]string{
			"webhook-id": "evt_0198c6f0-0000-7000-8000-000000000002", "X-Original-Webhook-Id": "theirs", "X-Original-Webhook-Signature": "v1,theirs",
			"X-Reprise-Attempt": "1",
		}},
		"repeated": {func(r *Request) { r.Headers = headers("X-Tag", "a", "x-other", "1", "x-tag", "b") }, map[string]string{"X-Tag": "a|b", "X-Other": "1"}},
		"any bytes": {func(r *Request) { r.Headers = headers("X-Latin", "caf\xe9", "X-Bad", "a\nb", "Bad Name", "1") }, map[string]string{
			"X-Latin": "caf\xe9", "X-Bad": gone, "Bad Name": gone,
		}},
		"endpoint's win over the event's": {func(r *Request) {
			r.Headers = headers("X-Env", "theirs", "X-Env", "theirs too", "User-Agent", "GitHub-Hookshot/1", "Content-Type", "text/plain")
			r.Endpoint.Headers = headers("x-env", "prod", "X-Env", "eu", "Webhook-Id", "mine", "Host", "evil.example", "Connection", "close")
		}, map[string]string{
			"X-Env": "prod|eu", "User-Agent": "GitHub-Hookshot/1", "Content-Type": "application/json",
			"webhook-id": "evt_0198c6f0-0000-7000-8000-000000000002", "Connection": gone,
		}},
		"api key": {func(r *Request) {
			r.Endpoint.Headers = headers("X-Auth", "lower priority")
			r.Endpoint.Authentication = relay.Authentication{Type: relay.AuthAPIKey, APIKey: &relay.APIKeyVerifier{HeaderName: "x-auth", HeaderValue: "k1"}}
		}, map[string]string{"X-Auth": "k1"}},
		"basic": {func(r *Request) {
			r.Endpoint.Authentication = relay.Authentication{Type: relay.AuthBasic, BasicAuth: &relay.BasicAuthVerifier{Username: "u", Password: "p:q"}}
		}, map[string]string{"Authorization": "Basic dTpwOnE="}},
		"bearer": {func(r *Request) {
			r.Endpoint.Authentication = relay.Authentication{Type: relay.AuthBearer, Bearer: &relay.BearerAuth{Token: "t1"}}
			r.Headers, r.Forward = headers("Authorization", "theirs"), []string{"Authorization"}
		}, map[string]string{"Authorization": "Bearer t1"}},
		"type with line ends": {func(r *Request) { r.EventType = "a\r\nX-Evil: 1" }, map[string]string{"X-Reprise-Event-Type": "aX-Evil: 1", "X-Evil": gone}},
		"the source's own credential": {func(r *Request) {
			r.Headers, r.Credentials = headers("X-Gitlab-Token", "t", "X-Acme", "k", "Svix-Id", "msg_1", "svix-signature", "v1,x"), []string{"x-gitlab-token", "X-Acme"}
		}, map[string]string{"X-Gitlab-Token": gone, "X-Acme": gone, "Svix-Id": gone, "X-Original-Svix-Id": "msg_1", "X-Original-Svix-Signature": "v1,x"}},
		"a credential that the source forwards": {func(r *Request) {
			r.Headers, r.Credentials, r.Forward = headers("X-Acme", "k"), []string{"X-Acme"}, []string{"X-Acme"}
		}, map[string]string{"X-Acme": "k"}},
		"second gateway": {func(r *Request) { r.Headers = headers("X-Reprise-Delivery-Id", "wdl_x") }, map[string]string{"X-Reprise-Hops": "2"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, answering(200, ""))
			req := requestTo(r.URL)
			if c.change != nil {
				c.change(&req)
			}
			if res := newTestSender(t).Send(t.Context(), req); res.Outcome != relay.OutcomeSuccess {
				t.Fatalf("%s %s", res.Outcome, res.Err)
			}
			a := r.one(t)
			if host := a.get("Host"); "http://"+host+"/hook" != r.URL {
				t.Errorf("Host: %s", host)
			}
			signatures(t, a, secretA)
			for name, want := range c.want {
				if got := a.get(name); got != want || want == gone && len(a.values(name)) > 0 {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestEventThatGoesRoundIsStopped(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answering(200, ""))
	res := newTestSender(t).Send(t.Context(), requestTo(r.URL, func(r *Request) { r.Headers = headers("x-reprise-hops", "3") }))
	if res.Outcome != relay.OutcomeBlocked || !strings.Contains(res.Err, "3 gateways") || len(r.got()) != 0 {
		t.Errorf("%s %q, %d arrived", res.Outcome, res.Err, len(r.got()))
	}
}

func TestRecordedHeadersAreThoseSent(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answering(200, ""))
	req := requestTo(r.URL, func(r *Request) {
		r.Headers = headers("X-Gitlab-Token", "s3cret-1", "Cookie", "s3cret-2", "X-Tag", "a", "X-Tag", "b")
		r.Forward = []string{"X-Gitlab-Token", "Cookie", "X-Tag"}
		r.Endpoint.Headers = headers("X-Client-Secret", "s3cret-3", "X-Plain", "visible")
		r.Endpoint.Authentication = relay.Authentication{Type: relay.AuthAPIKey, APIKey: &relay.APIKeyVerifier{HeaderName: "X-Pass", HeaderValue: "s3cret-4"}}
	})
	before := append(relay.Headers(nil), req.Headers...)
	res := newTestSender(t).Send(t.Context(), req)
	sent := r.one(t)
	for _, h := range res.RequestHeaders {
		switch {
		case strings.Contains(h.Value, "s3cret"):
			t.Errorf("%s shows a secret", h.Name)
		case strings.HasSuffix(h.Value, relay.Mask):
			if !strings.Contains(sent.get(h.Name), "s3cret") {
				t.Errorf("%s is masked for nothing, or was sent masked: %s", h.Name, sent.get(h.Name))
			}
		case !strings.Contains(sent.get(h.Name), h.Value):
			t.Errorf("%s: %q was not sent", h.Name, h.Value)
		}
	}
	if want := len(sent.Headers) - 2; len(res.RequestHeaders) != want { // but for Host and Content-Length
		t.Errorf("%d headers are recorded, want %d", len(res.RequestHeaders), want)
	}
	if diff := cmp.Diff(before, req.Headers); diff != "" {
		t.Errorf("the event's headers were changed: %s", diff)
	}
}
