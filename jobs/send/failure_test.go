package send

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		answer  func(net.Conn, arrival) bool
		outcome relay.Outcome
		status  int
		says    string
	}{
		"closed without a byte":  {func(net.Conn, arrival) bool { return false }, relay.OutcomeReset, 0, "without an answer"},
		"reset without a byte":   {func(c net.Conn, _ arrival) bool { return reset(c) }, relay.OutcomeReset, 0, "reset the connection"},
		"closed in the headers":  {saying("HTTP/1.1 200 OK\r\nX-A: ", false), relay.OutcomeReset, 0, "middle of its answer's headers"},
		"closed in the body":     {saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", false), relay.OutcomeReset, 200, "middle of the answer"},
		"closed in a chunk":      {saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nabc", false), relay.OutcomeReset, 200, "middle of the answer"},
		"not HTTP":               {saying("SSH-2.0-OpenSSH_9.2\r\n\r\n", false), relay.OutcomeProtocol, 0, "usable HTTP"},
		"two lengths":            {saying("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", false), relay.OutcomeProtocol, 0, "usable HTTP"},
		"headers without end":    {saying("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 70<<10)+"\r\n\r\n", false), relay.OutcomeProtocol, 0, "usable HTTP"},
		"1xx for ever":           {saying(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 2000), false), relay.OutcomeProtocol, 0, "usable HTTP"},
		"101":                    {saying("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", true), relay.OutcomeProtocol, 101, "WebSocket"},
		"100, then 200":          {saying("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true), relay.OutcomeSuccess, 200, ""},
		"HTTP/1.0":               {saying("HTTP/1.0 200 OK\r\n\r\nbye", false), relay.OutcomeSuccess, 200, ""},
		"garbage after a length": {saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokgarbage", true), relay.OutcomeSuccess, 200, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, c.answer)
			res := newTestSender(t).Send(t.Context(), requestTo(r.URL))
			if res.Outcome != c.outcome || res.Status != c.status {
				t.Errorf("%s %d %q", res.Outcome, res.Status, res.Err)
			}
			if !strings.Contains(res.Err, c.says) || (c.says == "") != (res.Err == "") {
				t.Errorf("says %q, want %q in it", res.Err, c.says)
			}
			if n := len(r.got()); n != 1 {
				t.Errorf("%d requests arrived", n)
			}
		})
	}
}

// On a connection that was good before, a request that may have been read is
// not sent a second time behind the back of the attempt log.
func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	n := 0
	r := newReceiver(t, func(c net.Conn, a arrival) bool {
		if n++; n == 2 {
			return reset(c)
		}
		return answering(200, "")(c, a)
	})
	s := newTestSender(t)
	req := requestTo(r.URL, func(r *Request) { r.Headers = headers("X-Request", "1") })
	if res := s.Send(t.Context(), req); res.Outcome != relay.OutcomeSuccess {
		t.Fatal(res.Err)
	}
	if res := s.Send(t.Context(), req); res.Outcome != relay.OutcomeReset {
		t.Errorf("%s %q", res.Outcome, res.Err)
	}
	if got := len(r.got()); got != 2 {
		t.Errorf("%d requests arrived, want 2", got)
	}
}

func silent(c net.Conn, _ arrival) bool {
	_, _ = c.Read(make([]byte, 1))
	return false
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(net.Conn, arrival) bool{
		"silence": silent,
		"slow headers": func(c net.Conn, _ arrival) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for range time.Tick(20 * time.Millisecond) {
				if _, err := io.WriteString(c, "X-Slow: 1\r\n"); err != nil {
					break
				}
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const limit = 300 * time.Millisecond
			res := newTestSender(t).Send(t.Context(), requestTo(newReceiver(t, answer).URL, func(r *Request) { r.Endpoint.HTTPTimeout = limit }))
			if res.Outcome != relay.OutcomeTimeout || !strings.Contains(res.Err, "within 0.3 s") {
				t.Errorf("%s %q", res.Outcome, res.Err)
			}
			if res.Duration < limit || res.Duration > limit+time.Second {
				t.Errorf("took %s", res.Duration)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := newReceiver(t, func(c net.Conn, a arrival) bool { cancel(); return silent(c, a) })
	if res := newTestSender(t).Send(ctx, requestTo(r.URL)); res.Outcome != relay.OutcomeInterrupted {
		t.Errorf("%s %q", res.Outcome, res.Err)
	}
}

func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	res := newTestSender(t).Send(t.Context(), requestTo("http://"+l.Addr().String()))
	if res.Outcome != relay.OutcomeConnect || !strings.Contains(res.Err, "refused") {
		t.Errorf("%s %q", res.Outcome, res.Err)
	}
}

// authority makes certificates for TLS tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	same := func(*x509.Certificate) {}
	serve := func(cert tls.Certificate, change func(*tls.Config)) string {
		ts := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		ts.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		change(ts.TLS)
		ts.Config.ErrorLog = nullLog
		ts.StartTLS()
		t.Cleanup(ts.Close)
		return ts.URL
	}
	plain := func(*tls.Config) {}
	day := time.Now().Add(-time.Hour).UTC().Format(time.DateOnly)
	stalled := newReceiver(t, silent)
	plainHTTP := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plainHTTP.Close)
	cases := map[string]struct {
		url, says string
	}{
		"good":          {serve(ca.issue(t, same), plain), ""},
		"expired":       {serve(ca.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }), plain), "expired on " + day},
		"not yet valid": {serve(ca.issue(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }), plain), "not valid before"},
		"wrong name":    {serve(ca.issue(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} }), plain), "another name"},
		"unknown":       {serve(stranger.issue(t, same), plain), "known authority"},
		"TLS 1.0 only": {serve(ca.issue(t, same), func(c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
		}), "No TLS connection"},
		"plain HTTP": {strings.Replace(plainHTTP.URL, "http:", "https:", 1), "plain HTTP"},
		"stalled":    {strings.Replace(stalled.URL, "http:", "https:", 1), "handshake within 5 s"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSender(t, func(o *Options) { o.RootCAs = ca.pool })
			res := s.Send(t.Context(), requestTo(c.url, func(r *Request) { r.Endpoint.HTTPTimeout = 10 * time.Second }))
			want := relay.OutcomeTLS
			if c.says == "" {
				want = relay.OutcomeSuccess
			}
			if res.Outcome != want || !strings.Contains(res.Err, c.says) {
				t.Errorf("%s %q, want %q in it", res.Outcome, res.Err, c.says)
			}
			if res.Duration > handshakeTimeout+time.Second {
				t.Errorf("took %s", res.Duration)
			}
		})
	}
}
