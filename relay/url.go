package relay

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const maxURL = 2048

const notPublic = "must lead to a public address"

// TidyURL makes of a URL as people paste it one as it is kept: without blanks
// around it, and an international host name in its ASCII form (RFC 5891, mapped
// as UTS 46 says). What cannot be mapped stays, for CheckURL to complain of.
func TidyURL(raw string) string {
	raw = strings.TrimFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' })
	scheme, rest, ok := strings.Cut(raw, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, port := rest[:end], ""
	if !ok || isASCII(host) {
		return raw
	}
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 {
		host, port = host[:colon], host[colon:]
	}
	plain, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return raw
	}
	return scheme + "://" + plain + port + rest[end:]
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// CheckURL reads a URL to deliver to, under the policy that only public
// addresses may be reached. See EgressPolicy.CheckURL.
func CheckURL(raw string) (*url.URL, string) {
	return EgressPolicy{}.CheckURL(raw)
}

// CheckURL reads a URL to deliver to. If it must not be used, the second value
// says what would be right, as the rest of a sentence that begins with the
// name of the field. A host name passes here whatever it resolves to: that is
// decided by Blocked when the connection is made.
func (p EgressPolicy) CheckURL(raw string) (*url.URL, string) {
	if raw == "" {
		return nil, "must not be empty"
	}
	if len(raw) > maxURL {
		return nil, "must have at most 2048 characters"
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return nil, "must not contain spaces, control characters or backslashes"
	}
	if !hasPrefixFold(raw, "http://") && !hasPrefixFold(raw, "https://") {
		return nil, "must begin with https:// or http://"
	}
	if strings.ContainsRune(raw, '#') {
		return nil, "must not have a fragment (the part after #)"
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return nil, "must be a complete URL such as https://example.com/webhooks"
	}
	if u.User != nil {
		return nil, "must not contain a user name or password; use the authentication settings"
	}
	allowed, problem := p.checkHost(u)
	if problem == "" {
		problem = checkPort(u, allowed)
	}
	if problem != "" {
		return nil, problem
	}
	return u, ""
}

// checkHost also reports whether the operator has allowed the very address.
func (p EgressPolicy) checkHost(u *url.URL) (allowed bool, problem string) {
	host := strings.ToLower(u.Hostname())
	if strings.HasPrefix(u.Host, "[") {
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return false, "must have an IPv6 address between the brackets"
		}
		return p.checkAddr(addr)
	}
	if strings.ContainsAny(u.Host, "[]%") || strings.Count(u.Host, ":") > 1 {
		return false, "must have a host name in plain letters"
	}
	if !isASCII(host) {
		return false, "must have a valid host name; this international one is none"
	}
	labels := strings.Split(host, ".")
	if last := labels[len(labels)-1]; isNumber(last) {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return false, "must not have a number for a host; write an address as four decimal numbers"
		}
		return p.checkAddr(addr)
	}
	if len(host) > 253 {
		return false, "must have a host name of at most 253 characters"
	}
	for _, label := range labels {
		if !isHostLabel(label) {
			return false, "must have a valid host name, without a dot at the end"
		}
	}
	return p.checkName(host)
}

func (p EgressPolicy) checkAddr(addr netip.Addr) (bool, string) {
	if p.Blocked(addr) {
		return false, notPublic
	}
	return p.allows(addr), ""
}

func (p EgressPolicy) checkName(host string) (bool, string) {
	switch {
	case host == "localhost", host == "localhost.localdomain", strings.HasSuffix(host, ".localhost"):
		if !p.allowsLoopback() {
			return false, notPublic
		}
		return true, ""
	case slices.Contains(metadataNames, host):
		if !p.allows(metadata) {
			return false, notPublic
		}
	}
	return false, ""
}

// The names by which clouds serve credentials to their machines.
var metadataNames = []string{
	"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal",
}

// isNumber follows the URL standard: a host whose last label is decimal, octal
// or hexadecimal is an IPv4 address to some resolvers, however odd it looks.
func isNumber(label string) bool {
	if hasPrefixFold(label, "0x") {
		return strings.Trim(label[2:], "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

func isHostLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// Ports from 1024 on at which mail, databases, caches and machine control are
// usually found. Below 1024 only the two ports of the web are open.
var closedPorts = []uint64{
	1433, 1521, 1723, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5900, 5984, 6000, 6379, 6380,
	6443, 6666, 6667, 7001, 8500, 9042, 9092, 9200, 9300, 10250, 10255, 11211, 25672, 26379, 27017, 27018, 50000,
}

func checkPort(u *url.URL, allowed bool) string {
	text := u.Port()
	if text == "" {
		if strings.HasSuffix(u.Host, ":") {
			return "must have a port after the colon, or no colon"
		}
		return ""
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return "must have a port from 1 to 65535"
	}
	if allowed || port == 80 || port == 443 {
		return ""
	}
	if port < 1024 || slices.Contains(closedPorts, port) {
		return "must not use port " + text + ", which belongs to another kind of service; use 80, 443 or one from 1024 on"
	}
	return ""
}
