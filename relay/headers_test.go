package relay

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHeadersRoundTrip(t *testing.T) {
	t.Parallel()
	h := Headers{{"X-A", "1"}, {"x-a", "2"}, {"Empty", ""}, {"Bytes", "\x00\xff\r\n"}, {"", "no name"}}
	got, err := DecodeHeaders(EncodeHeaders(h))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h, got); diff != "" {
		t.Error(diff)
	}
	if got := h.Get("X-a"); got != "1" {
		t.Errorf("Get is %q, want the first value", got)
	}
	if diff := cmp.Diff([]string{"1", "2"}, h.Values("x-A")); diff != "" {
		t.Error(diff)
	}
	if got := (Headers{{"\u212aey", "Kelvin"}}).Get("key"); got != "" {
		t.Errorf("a name folded beyond ASCII: %q", got)
	}
}

func TestDecodeHeadersRefusesGarbage(t *testing.T) {
	t.Parallel()
	for _, b := range []string{"\x05abc", "\x01a", "\x01a\x09b", "\xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if h, err := DecodeHeaders([]byte(b)); err == nil {
			t.Errorf("%q was read as %v", b, h)
		}
	}
}

func FuzzDecodeHeaders(f *testing.F) {
	f.Add(EncodeHeaders(Headers{{"Content-Type", "application/json"}, {"X", ""}}))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := DecodeHeaders(b)
		if err != nil {
			return
		}
		again, err := DecodeHeaders(EncodeHeaders(h))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, again); diff != "" {
			t.Error(diff)
		}
	})
}

func TestForwardHeaders(t *testing.T) {
	t.Parallel()
	in := Headers{
		{"Host", "in.example"}, {"content-type", "application/json"}, {"Content-Length", "2"},
		{"Content-Encoding", "gzip"}, {"User-Agent", "GitHub-Hookshot"}, {"X-Twice", "1"}, {"X-Twice", "2"},
		{"Authorization", "Bearer x"}, {"Cookie", "a=b"}, {"X-API-KEY", "k"},
		{"Connection", "keep-alive, X-Hop"}, {"X-Hop", "1"}, {"Keep-Alive", "1"}, {"TE", "trailers"}, {"Trailer", "X"},
		{"Transfer-Encoding", "chunked"}, {"Upgrade", "h2c"}, {"Expect", "100-continue"}, {"Accept-Encoding", "gzip"},
		{"Proxy-Authorization", "x"}, {"Proxy-Connection", "x"}, {"X-Forwarded-For", "1"}, {"Forwarded", "1"},
		{"X-Real-IP", "1"}, {"Via", "1"}, {"CF-Connecting-IP", "1"},
		{"webhook-id", "msg_1"}, {"Webhook-Signature", "v1,x"}, {"X-Reprise-Delivery-Id", "wdl_1"},
		{"Bad Name", "1"}, {"X-Bad-Value", "a\r\nb"}, {"X-Bytes", "caf\xe9"},
	}
	descriptors := Headers{{"content-type", "application/json"}, {"Content-Encoding", "gzip"}}
	originals := Headers{
		{"X-Original-Webhook-Id", "msg_1"}, {"X-Original-Webhook-Signature", "v1,x"}, {"X-Original-Reprise-Delivery-Id", "wdl_1"},
	}
	for name, c := range map[string]struct {
		allow []string
		want  Headers
	}{
		"default": {nil, append(append(append(Headers{}, descriptors...),
			Header{"User-Agent", "GitHub-Hookshot"}, Header{"X-Twice", "1"}, Header{"X-Twice", "2"}),
			append(append(Headers{}, originals...), Header{"X-Bytes", "caf\xe9"})...)},
		"named":            {[]string{"x-twice"}, append(append(Headers{}, descriptors...), Header{"X-Twice", "1"}, Header{"X-Twice", "2"})},
		"credentials":      {[]string{"authorization"}, append(append(Headers{}, descriptors...), Header{"Authorization", "Bearer x"})},
		"never":            {[]string{"host", "content-length", "x-hop", "te", "accept-encoding", "proxy-authorization"}, descriptors},
		"ours are renamed": {[]string{"webhook-id"}, append(append(Headers{}, descriptors...), originals[0])},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, ForwardHeaders(in, c.allow)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRedactHeaders(t *testing.T) {
	t.Parallel()
	in := Headers{{"authorization", "Bearer abc"}, {"X-Own", "abc"}, {"Set-Cookie", "a=b"}, {"X-Plain", "1"}}
	want := Headers{{"authorization", "Bearer ••••"}, {"X-Own", "••••"}, {"Set-Cookie", "••••"}, {"X-Plain", "1"}}
	if diff := cmp.Diff(want, RedactHeaders(in, "x-own")); diff != "" {
		t.Error(diff)
	}
	if in[0].Value != "Bearer abc" {
		t.Error("the input was changed")
	}
}

func TestMaskSecret(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                              "",
		"short":                         "••••",
		"whsec_short":                   "whsec_••••",
		"whsec_abcdefghijklmnopqrstuyz": "whsec_ab…yz",
		"0123456789abcdef":              "01…ef",
	} {
		if got := MaskSecret(in); got != want {
			t.Errorf("MaskSecret(%q) is %q, want %q", in, got, want)
		}
	}
}
