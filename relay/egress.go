package relay

import "net/netip"

// EgressPolicy says which addresses deliveries may reach. Its zero value lets
// only public ones through.
type EgressPolicy struct {
	Allow []netip.Prefix // also these, whatever they are
}

// blockedPrefixes are what is not a public host, from the special-purpose
// registries of IANA (RFC 6890), and public-looking addresses at which clouds
// keep their metadata. The predicates of netip miss several of them.
var blockedPrefixes = mustPrefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32", "100.100.100.200/32",
	// Teredo, benchmarking, ORCHID and the like; documentation; 6to4.
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// Every public IPv6 host is in here. Outside are loopback, IPv4-mapped and
// -compatible addresses, NAT64, unique local, link-local and multicast.
var publicIPv6 = netip.MustParsePrefix("2000::/3")

func mustPrefixes(list ...string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(list))
	for i, s := range list {
		prefixes[i] = netip.MustParsePrefix(s)
	}
	return prefixes
}

// Blocked reports whether deliveries must not connect to an address.
func (p EgressPolicy) Blocked(addr netip.Addr) bool {
	if !addr.IsValid() {
		return true
	}
	if p.allows(addr) {
		return false
	}
	addr = addr.WithZone("")
	if addr.Is6() && !publicIPv6.Contains(addr) {
		return true
	}
	for _, prefix := range blockedPrefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// allows reports whether the operator named the address. An IPv4 address in
// IPv6 clothes counts as itself too.
func (p EgressPolicy) allows(addr netip.Addr) bool {
	addr = addr.WithZone("")
	plain := addr.Unmap()
	for _, prefix := range p.Allow {
		if prefix.Contains(addr) || prefix.Contains(plain) {
			return true
		}
	}
	return false
}

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.IPv6Loopback()
	metadata  = netip.MustParseAddr("169.254.169.254")
)

func (p EgressPolicy) allowsLoopback() bool { return p.allows(loopback4) || p.allows(loopback6) }
