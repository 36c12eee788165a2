package handlers

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

func TestMetricsToken(t *testing.T) {
	t.Parallel()
	w := setup(t, func(o *Options) { o.MetricsToken = "canary-token" })
	w.event(w.source(nil), "x")
	for _, given := range []string{"", "Bearer ", "Bearer wrong", "Bearer canary-toke", "Bearer canary-tokens", "Basic canary-token"} {
		w.call("GET", "/metrics", nil, "Authorization", given).problem(t, 401, relay.KindUnauthorized)
	}
	// A token opens them from everywhere, through proxies too.
	got := w.call("GET", "/metrics", nil, "Authorization", "Bearer canary-token", "X-Forwarded-For", "192.0.2.1", "Via", "1.1 proxy")
	if !strings.Contains(got.text, `reprise_ingest_requests_total{result="accepted"} 1`) {
		t.Errorf("metrics: %d %s", got.StatusCode, got.text)
	}
	// app.Test comes from 0.0.0.0, which is not this machine.
	setup(t).call("GET", "/metrics", nil).problem(t, 403, relay.KindForbidden)
}

// TestMetricsThroughAProxy asks a server without a token: directly, and in all
// the ways in which proxies on the same machine pass on what comes from
// elsewhere.
func TestMetricsThroughAProxy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	port := s.url[strings.LastIndex(s.url, ":"):]
	ask := func(method, proto, host string, headers ...string) (int, string) {
		t.Helper()
		conn, err := net.Dial("tcp", "127.0.0.1"+port)
		s.check(err)
		defer conn.Close()
		lines := []string{method + " /metrics " + proto, "Host: " + host, "Connection: close"}
		_, err = io.WriteString(conn, strings.Join(append(lines, headers...), "\r\n")+"\r\n\r\n")
		s.check(err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
		s.check(err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		s.check(err)
		return resp.StatusCode, string(text)
	}
	const modern = "HTTP/1.1"
	for _, host := range []string{"localhost", "LOCALHOST" + port, "127.0.0.1" + port, "127.0.0.1", "[::1]" + port, "[::1]", "127.8.8.8"} {
		if status, text := ask("GET", modern, host, "User-Agent: curl/8.9", "Accept: */*"); status != 200 || !strings.Contains(text, "reprise_ingest_requests_total") {
			t.Errorf("directly, at %s: %d %s", host, status, text)
		}
	}
	refused := func(how string, status int, text string) {
		t.Helper()
		if status != 403 || strings.Contains(text, "reprise_ingest") {
			t.Errorf("%s: %d %.100s", how, status, text)
		}
	}
	for _, host := range []string{"hooks.example.com", "hooks.example.com" + port, "192.0.2.1", "[2001:db8::1]", "localhost.example.com", "127.0.0.1.example.com", "0.0.0.0"} {
		status, text := ask("GET", modern, host)
		refused("for the host "+host, status, text)
	}
	for _, header := range []string{
		"X-Forwarded-For: 127.0.0.1", "x-forwarded-proto: https", "X-Forwarded-Host: localhost", "X-FORWARDED-PORT: 443", "X-Forwarded-Server: a", "X-Forwarded:",
		"Forwarded: for=127.0.0.1", "Via: 1.1 caddy", "X-Real-IP: 127.0.0.1", "True-Client-IP: ::1", "CF-Connecting-IP: 192.0.2.1", "CF-Ray: a",
		"X-Client-IP: 192.0.2.1", "Fly-Client-IP: 192.0.2.1", "X-Amzn-Trace-Id: Root=1", "X-Original-Forwarded-For: 192.0.2.1", "CDN-Loop: a",
	} {
		status, text := ask("GET", modern, "localhost", header)
		refused("with "+header, status, text)
	}
	status, text := ask("GET", "HTTP/1.0", "127.0.0.1"+port)
	refused("by HTTP/1.0", status, text)
	status, text = ask("HEAD", modern, "hooks.example.com")
	refused("HEAD", status, text)

	target, err := url.Parse(s.url)
	s.check(err)
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(target))
	defer proxy.Close()
	resp, err := http.Get(proxy.URL + "/metrics")
	s.check(err)
	defer resp.Body.Close()
	refused("through a proxy of Go's", resp.StatusCode, "")
}
