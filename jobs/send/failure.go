package send

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

var (
	errTimeout     = errors.New("send: the endpoint's time is up")
	errInterrupted = errors.New("send: the attempt was broken off")
)

const (
	sentenceBlocked = "The endpoint's address is not public, so nothing was sent. " +
		"To deliver into your own network, allow its range with REPRISE_EGRESS_ALLOW."
	sentenceSwitching = "The endpoint answered 101 and wanted to change the protocol. " +
		"Point the endpoint at a plain HTTP handler rather than at a WebSocket."
)

// explain sorts the ways in which no answer comes and says each in a sentence
// with a hint. host is the name in the endpoint's URL.
func explain(err error, req *Request, host string) (relay.Outcome, string) {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, errInterrupted):
		return relay.OutcomeInterrupted, "The attempt was broken off before an answer came, so nobody knows whether the endpoint got it."
	case errors.Is(err, errTimeout):
		return relay.OutcomeTimeout, fmt.Sprintf("The endpoint did not answer within %s. "+
			"Let it answer first and work afterwards, or raise its timeout.", seconds(timeoutOf(req.Endpoint)))
	case errors.Is(err, errBlocked):
		return relay.OutcomeBlocked, sentenceBlocked
	case errors.Is(err, errLoop):
		return relay.OutcomeBlocked, "The endpoint's address is this gateway itself, so nothing was sent: it would go round for ever."
	case errors.Is(err, errHops):
		return relay.OutcomeBlocked, fmt.Sprintf("This event has already come through %d gateways, so nothing was sent. "+
			"Look for an endpoint that leads back to a source.", maxHops)
	case errors.Is(err, errUnsigned):
		return relay.OutcomeInternal, "No secret of the endpoint can sign, so nothing was sent. Rotate its secret."
	case errors.As(err, &dns):
		return relay.OutcomeDNS, dnsSentence(dns, host)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return relay.OutcomeInternal, "The gateway has no file handles left. Raise the limit of open files."
	case isTLS(err):
		return relay.OutcomeTLS, tlsSentence(err, host)
	case errors.As(err, &op) && op.Op == "dial":
		return connectSentence(err, host)
	case isReset(err):
		return relay.OutcomeReset, resetSentence(err)
	}
	return relay.OutcomeProtocol, "The endpoint did not answer with usable HTTP: " + shorten(err.Error(), 200) + "."
}

func dnsSentence(err *net.DNSError, host string) string {
	switch {
	case err.IsNotFound:
		return fmt.Sprintf("The name %s does not exist in DNS. Check the endpoint's URL.", host)
	case err.IsTimeout:
		return fmt.Sprintf("DNS did not tell the address of %s in time. Check its name servers.", host)
	}
	return fmt.Sprintf("DNS could not tell the address of %s. Check its name servers.", host)
}

func connectSentence(err error, host string) (relay.Outcome, string) {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return relay.OutcomeConnect, fmt.Sprintf("%s refused the connection. Check that the receiver runs and listens on that port.", host)
	case errors.As(err, &timeout) && timeout.Timeout():
		return relay.OutcomeTimeout, fmt.Sprintf("No connection to %s within %s. "+
			"Check that the address is right and that no firewall drops it.", host, seconds(dialTimeout))
	}
	return relay.OutcomeConnect, fmt.Sprintf("%s cannot be reached: there is no route to its address.", host)
}

func isTLS(err error) bool {
	var cert *tls.CertificateVerificationError
	var alert tls.AlertError
	return errors.As(err, &cert) || errors.As(err, &alert) ||
		strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "TLS handshake")
}

func tlsSentence(err error, host string) string {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && time.Now().Before(invalid.Cert.NotBefore):
		return fmt.Sprintf("The TLS certificate of %s is not valid before %s.", host, invalid.Cert.NotBefore.UTC().Format(time.DateOnly))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("The TLS certificate of %s expired on %s. Renew it.", host, invalid.Cert.NotAfter.UTC().Format(time.DateOnly))
	case errors.As(err, &name):
		return fmt.Sprintf("The TLS certificate is for another name than %s. Use a name that it covers.", host)
	case errors.As(err, &unknown):
		return fmt.Sprintf("The TLS certificate of %s is not from a known authority: it is self-signed, or an intermediate certificate is missing.", host)
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return fmt.Sprintf("%s answered in plain HTTP on an https URL. Use http://, or the port that speaks TLS.", host)
	case strings.Contains(err.Error(), "TLS handshake timeout"):
		return fmt.Sprintf("%s did not finish the TLS handshake within %s.", host, seconds(handshakeTimeout))
	}
	return fmt.Sprintf("No TLS connection with %s: %s.", host, shorten(err.Error(), 200))
}

// isReset reports whether the receiver ended the connection.
func isReset(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, end) {
			return true
		}
	}
	text := err.Error() // of error types that net/http keeps to itself
	for _, part := range []string{"server closed idle connection", "stream error", "GOAWAY", "client connection lost"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

func resetSentence(err error) string {
	const hint = " Look for a crash or a limit in the receiver or in a proxy before it."
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "The endpoint closed the connection in the middle of its answer's headers." + hint
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "The endpoint reset the connection before it answered." + hint
	}
	return "The endpoint closed the connection without an answer." + hint
}

func cutSentence(status int) string {
	return fmt.Sprintf("The endpoint answered %d, but broke the connection in the middle of the answer. "+
		"Look for a crash in the receiver or for a wrong Content-Length.", status)
}

// statusSentence is empty for an answer that is a success.
func statusSentence(resp *http.Response) string {
	code := resp.StatusCode
	outcome := relay.Classify(code)
	if outcome == relay.OutcomeSuccess {
		return ""
	}
	answered := strings.TrimSpace(fmt.Sprintf("The endpoint answered %d %s", code, http.StatusText(code)))
	switch outcome {
	case relay.OutcomeRedirect:
		if to := resp.Header.Get("Location"); to != "" {
			return fmt.Sprintf("%s and points to %s. Redirects are not followed: use the final URL.", answered, shorten(to, 200))
		}
		return answered + ". Redirects are not followed: use the final URL."
	case relay.OutcomeGone:
		return answered + ": it wants no more deliveries, so it is paused."
	case relay.OutcomeProtocol:
		return answered + ", which ends no request."
	}
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return answered + ". Check its authentication settings and its signature check."
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
		return answered + ". Check the path of its URL and that it takes POST."
	case code == http.StatusTooManyRequests:
		return answered + ". Give the endpoint a rate limit that it can bear."
	case code >= 500:
		return answered + ". The receiver's log should say why."
	}
	return answered + "."
}

func seconds(d time.Duration) string { return fmt.Sprintf("%g s", d.Seconds()) }

func shorten(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
