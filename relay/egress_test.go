package relay

import (
	"net/netip"
	"testing"
)

func TestBlocked(t *testing.T) {
	t.Parallel()
	loopback := EgressPolicy{Allow: mustPrefixes("127.0.0.0/8", "::1/128")}
	for text, want := range map[string]bool{
		"8.8.8.8": false, "1.1.1.1": false, "172.32.0.1": false, "100.128.0.1": false, "198.20.0.1": false,
		"2606:4700::1111": false, "2a00:1450:4001::1": false, "2001:4860:4860::8888": false,

		"0.0.0.0": true, "0.1.2.3": true, "10.1.2.3": true, "100.64.0.1": true, "100.100.100.200": true, "127.0.0.1": true,
		"169.254.169.254": true, "172.16.0.1": true, "172.31.255.255": true, "192.0.0.192": true, "192.0.2.1": true,
		"192.168.1.1": true, "198.18.0.1": true, "198.19.255.255": true, "198.51.100.1": true, "203.0.113.1": true,
		"224.0.0.1": true, "240.0.0.1": true, "255.255.255.255": true, "168.63.129.16": true,

		"::": true, "::1": true, "::127.0.0.1": true, "::ffff:127.0.0.1": true, "::ffff:8.8.8.8": true,
		"64:ff9b::7f00:1": true, "64:ff9b:1::1": true, "2002:7f00:1::": true, "2001:0:1::1": true, "2001:db8::1": true,
		"fc00::1": true, "fd00:ec2::254": true, "fe80::1": true, "fe80::1%eth0": true, "ff02::1": true, "fec0::1": true,
	} {
		addr := netip.MustParseAddr(text)
		if got := (EgressPolicy{}).Blocked(addr); got != want {
			t.Errorf("%s: blocked is %v", text, got)
		}
		ours := addr.Unmap() == loopback4 || addr == loopback6
		if got := loopback.Blocked(addr); got != (want && !ours) {
			t.Errorf("%s with loopback allowed: blocked is %v", text, got)
		}
	}
	if !(EgressPolicy{}).Blocked(netip.Addr{}) {
		t.Error("no address is let through")
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	long := make([]byte, maxURL)
	for i := range long {
		long[i] = 'a'
	}
	for raw, ok := range map[string]bool{
		"https://example.com": true, "HTTPS://Example.COM/a?b=c": true, "http://example.com:8080/x": true,
		"http://receiver/hook": true, "http://my_service:3000": true, "http://8.8.8.8/": true, "http://[2606:4700::1111]/": true,
		"https://xn--bcher-kva.example/ä": true, "http://example.com:80": true, "http://0xabc.example": true,

		"http://127.0.0.1": false, "http://localhost": false, "http://LOCALHOST.": false, "http://foo.localhost": false,
		"http://[::1]": false, "http://127.1": false, "http://127.0.1": false, "http://2130706433": false,
		"http://0x7f000001": false, "http://0x7f.1": false, "http://0177.0.0.1": false, "http://017700000001": false,
		"http://0": false, "http://0.0.0.0": false, "http://[::]": false, "http://0.1.2.3": false, "http://127.0.0.1.": false,
		"http://[::ffff:127.0.0.1]": false, "http://[::ffff:7f00:1]": false, "http://[::127.0.0.1]": false,
		"http://[64:ff9b::7f00:1]": false, "http://[64:ff9b:1::1]": false, "http://[2002:7f00:1::]": false, "http://[2001:0:1::1]": false,
		"http://169.254.169.254/latest": false, "http://[fd00:ec2::254]": false, "http://metadata.google.internal": false,
		"http://Metadata.Google.Internal/": false, "http://100.100.100.200": false, "http://168.63.129.16": false, "http://192.0.0.192": false,
		"http://①②⑦.⓪.⓪.①": false, "http://127。0。0。1": false, "http://exаmple.com": false,
		"http://127.0.0.1%00.example": false, `http://127.0.0.1\@example`: false, "http://[::1": false, "http://%31.example": false,
		"http://example.com@127.0.0.1/": false, "http://user:pass@example.com": false, "http://@example.com": false,
		"file:///etc/passwd": false, "gopher://x": false, "ftp://x": false, "unix:/x": false, "http+unix://x": false,
		"javascript:alert(1)": false, "JavaScript:alert(1)": false, "//example.com": false, "http:example.com": false, "http:///x": false,
		" http://example.com": false, "http://example.com\n": false, "http://exa\tmple.com": false, "http://example.com/a b": false,
		"http://example.com:22": false, "http://example.com:25": false, "http://example.com:6379": false, "http://example.com:5432": false,
		"http://example.com:0": false, "http://example.com:65536": false, "http://example.com:-1": false, "http://example.com:": false,
		"http://example.com:+80": false, "http://[127.0.0.1]": false, "http://[example.com]": false, "http://[::1%25lo]": false,
		"http://[2606:4700::1111]x": false, "http://a..b": false, "http://-a.example": false, "http://example.com.": false,
		"https://example.com/#x": false, "https://example.com/#": false, "": false, "example.com": false,
		"https://example.com/" + string(long): false,
	} {
		u, problem := CheckURL(raw)
		if (problem == "") != ok || (u != nil) != ok {
			t.Errorf("CheckURL(%.80q) says %q", raw, problem)
		}
	}
}

func TestCheckURLWithLoopbackAllowed(t *testing.T) {
	t.Parallel()
	p := EgressPolicy{Allow: mustPrefixes("127.0.0.0/8", "::1/128")}
	for raw, ok := range map[string]bool{
		"http://127.0.0.1:6379/": true, "http://localhost:22": true, "http://[::1]:5432": true, "http://a.localhost": true,
		"http://127.1": false, "http://10.0.0.1": false, "http://example.com:6379": false, "http://169.254.169.254": false,
	} {
		if _, problem := p.CheckURL(raw); (problem == "") != ok {
			t.Errorf("CheckURL(%q) says %q", raw, problem)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, raw := range []string{
		"https://example.com/a?b", "http://127.1", "http://[::ffff:1.2.3.4]:80/", "http://a@b", "http://①", "http://x:99999",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, problem := CheckURL(raw)
		if (u == nil) == (problem == "") {
			t.Fatalf("%q: %v and %q", raw, u, problem)
		}
		if u == nil {
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Fragment != "" {
			t.Errorf("%q passed as %#v", raw, u)
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && (EgressPolicy{}).Blocked(addr) {
			t.Errorf("%q passed and names %s", raw, addr)
		}
	})
}

func TestTidyURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"  https://shop.example.com/a b\t\n":   "https://shop.example.com/a b",
		"\u00a0https://shop.example.com\ufeff": "https://shop.example.com",
		"https://Bücher.example/ä?q=ü":         "https://xn--bcher-kva.example/ä?q=ü",
		"https://bücher.example:8443":          "https://xn--bcher-kva.example:8443",
		"https://例え。テスト/x":                     "https://xn--r8jz45g.xn--zckzah/x",
		"http://①②⑦.⓪.⓪.①/":                    "http://127.0.0.1/",
		"http://127。0。0。1":                     "http://127.0.0.1",
		"https://user@bücher.example":          "https://user@bücher.example",
		"https://shop.example.com/ä":           "https://shop.example.com/ä",
		"":                                     "", "bücher": "bücher",
	} {
		if got := TidyURL(raw); got != want {
			t.Errorf("%q becomes %q, want %q", raw, got, want)
		}
	}
	for _, raw := range []string{"http://①②⑦.⓪.⓪.①/", "http://127。0。0。1", "http://ⓛocalhost", "https://user@bücher.example", "https://b\u200büch er.example"} {
		if _, problem := CheckURL(TidyURL(raw)); problem == "" {
			t.Errorf("%q is taken", raw)
		}
	}
}
