package relay

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"time"
)

// inbound is what a scheme judges. The secret is never empty.
type inbound struct {
	secret string
	now    time.Time
	p      *Payload
	url    string // the source's public URL, without a query
}

// scheme is one way to sign requests.
type scheme func(in *inbound) Verdict

const (
	tolerance     = 5 * time.Minute
	maxSignatures = 5 // that are looked at, of those in one header
)

// fullURL is the URL that the provider called.
func (in *inbound) fullURL() string {
	if in.p.Query == "" {
		return in.url
	}
	return in.url + "?" + in.p.Query
}

func verdictOf(ok bool) Verdict {
	if ok {
		return VerdictValid
	}
	return VerdictBadSignature
}

// sameSecret compares in a time that tells nothing, not even the length.
func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return hmac.Equal(x[:], y[:])
}

// digest is a hash together with the way in which it is written.
type digest struct {
	new    func() hash.Hash
	size   int
	base64 bool // else hexadecimal
}

var (
	hexSHA1      = digest{sha1.New, sha1.Size, false}
	hexSHA256    = digest{sha256.New, sha256.Size, false}
	base64SHA1   = digest{sha1.New, sha1.Size, true}
	base64SHA256 = digest{sha256.New, sha256.Size, true}
)

// digestFor reads the settings of a generic HMAC verifier.
func digestFor(hashName, encoding string) (d digest, ok bool) {
	switch strings.ToLower(hashName) {
	case "sha1":
		d = hexSHA1
	case "sha256":
		d = hexSHA256
	case "sha512":
		d = digest{sha512.New, sha512.Size, false}
	default:
		return digest{}, false
	}
	switch strings.ToLower(encoding) {
	case "hex":
	case "base64":
		d.base64 = true
	default:
		return digest{}, false
	}
	return d, true
}

// decode reads a signature of exactly the digest's size.
func (d digest) decode(buf []byte, s string) ([]byte, bool) {
	if d.base64 {
		if len(s) != base64.StdEncoding.EncodedLen(d.size) {
			return nil, false
		}
		sig, err := base64.StdEncoding.AppendDecode(buf, []byte(s))
		return sig, err == nil && len(sig) == d.size
	}
	if len(s) != hex.EncodedLen(d.size) {
		return nil, false
	}
	sig, err := hex.AppendDecode(buf, []byte(s))
	return sig, err == nil
}

// hmac checks the given signatures against that of the parts.
func (d digest) hmac(given []string, key []byte, parts ...[]byte) Verdict {
	mac := hmac.New(d.new, key)
	for _, part := range parts {
		mac.Write(part)
	}
	var sum [sha512.Size]byte
	return d.matchAny(given, mac.Sum(sum[:0]))
}

func (d digest) matchAny(given []string, want []byte) Verdict {
	verdict := VerdictMalformedHeader
	for _, s := range given[:min(len(given), maxSignatures)] {
		var buf [sha512.Size + 2]byte
		if sig, ok := d.decode(buf[:0], s); ok {
			if hmac.Equal(sig, want) {
				return VerdictValid
			}
			verdict = VerdictBadSignature
		}
	}
	return verdict
}

// hashOfBody is the commonest scheme: an HMAC of the body in a header.
type hashOfBody struct {
	header string
	prefix string
	digest digest
}

func (s hashOfBody) verify(in *inbound) Verdict {
	given := strings.TrimSpace(in.p.Headers.Get(s.header))
	if given == "" {
		return VerdictMissingHeader
	}
	sig, ok := strings.CutPrefix(given, s.prefix)
	if !ok {
		return VerdictMalformedHeader
	}
	return s.digest.hmac([]string{sig}, []byte(in.secret), in.p.Body)
}

// timedHash is an HMAC of "v0:time:body", the time being in its own header.
type timedHash struct{ header, timeHeader string }

func (s timedHash) verify(in *inbound) Verdict {
	given, at := in.p.Headers.Get(s.header), in.p.Headers.Get(s.timeHeader)
	if given == "" || at == "" {
		return VerdictMissingHeader
	}
	sig, ok := strings.CutPrefix(given, "v0=")
	if !ok {
		return VerdictMalformedHeader
	}
	verdict := hexSHA256.hmac([]string{sig}, []byte(in.secret), []byte("v0:"+at+":"), in.p.Body)
	return in.andFresh(verdict, at, time.Second, tolerance)
}

// timedList is an HMAC of the time and the body, with both the time and one or
// more signatures in one header: "t=1,v1=…,v1=…". Fields with other names, such
// as Stripe's weaker v0, are passed over.
type timedList struct{ header, separator, timeField, sigField, joint string }

func (s timedList) verify(in *inbound) Verdict {
	given := in.p.Headers.Get(s.header)
	if given == "" {
		return VerdictMissingHeader
	}
	at, sigs := s.parse(given)
	if at == "" || len(sigs) == 0 {
		return VerdictMalformedHeader
	}
	verdict := hexSHA256.hmac(sigs, []byte(in.secret), []byte(at+s.joint), in.p.Body)
	return in.andFresh(verdict, at, time.Second, tolerance)
}

func (s timedList) parse(header string) (at string, sigs []string) {
	for field := range strings.SplitSeq(header, s.separator) {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch {
		case name == s.timeField && at == "":
			at = value
		case name == s.sigField && len(sigs) < maxSignatures:
			sigs = append(sigs, value)
		}
	}
	return at, sigs
}

// andFresh adds to the verdict on a signature the one on the time that it
// covers, which counts units since 1970.
func (in *inbound) andFresh(verdict Verdict, at string, unit, tolerance time.Duration) Verdict {
	t, ok := parseUnix(at, unit)
	switch {
	case !ok:
		return VerdictMalformedHeader
	case verdict != VerdictValid:
		return verdict
	case t.Before(in.now.Add(-tolerance)):
		return VerdictStaleTimestamp
	case t.After(in.now.Add(tolerance)):
		return VerdictFutureTimestamp
	}
	return VerdictValid
}

// parseUnix takes nothing but digits: no sign, no fraction, no exponent.
func parseUnix(s string, unit time.Duration) (time.Time, bool) {
	if s == "" || len(s) > 15 || strings.Trim(s, "0123456789") != "" {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	if unit == time.Millisecond {
		return time.UnixMilli(n), true
	}
	return time.Unix(n, 0), true
}
