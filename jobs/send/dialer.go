package send

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const (
	dialTimeout      = 5 * time.Second // name and connection together
	handshakeTimeout = 5 * time.Second // TLS
)

var (
	errBlocked = errors.New("send: not an address to deliver to")
	errLoop    = errors.New("send: the address of this gateway")
)

// pureResolver never asks the C library, which takes odd spellings of
// 127.0.0.1 for addresses.
func pureResolver() *net.Resolver { return &net.Resolver{PreferGo: true} }

// guardedDial makes connections to allowed addresses only. The decision falls
// on the very address that is about to be connected to, so that a name which
// resolves differently from one moment to the next gains nothing.
func guardedDial(policy relay.EgressPolicy, self []netip.AddrPort, resolver *net.Resolver) func(context.Context, string, string) (net.Conn, error) {
	own := ownAddrs(self)
	d := &net.Dialer{
		Timeout:  dialTimeout,
		Resolver: resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || policy.Blocked(to.Addr()) {
				return errBlocked
			}
			if slices.Contains(own, netip.AddrPortFrom(to.Addr().Unmap().WithZone(""), to.Port())) {
				return errLoop
			}
			return nil
		},
	}
	return d.DialContext
}

// ownAddrs spells out what listening on "every address" means.
func ownAddrs(self []netip.AddrPort) []netip.AddrPort {
	var own []netip.AddrPort
	for _, a := range self {
		own = append(own, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
		if !a.Addr().IsUnspecified() {
			continue
		}
		interfaces, _ := net.InterfaceAddrs() // without them the loopback ones remain
		for _, i := range append(interfaces, &net.IPNet{IP: net.IPv6loopback}, &net.IPNet{IP: net.IPv4(127, 0, 0, 1)}) {
			n, ok := i.(*net.IPNet)
			if !ok {
				continue
			}
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				own = append(own, netip.AddrPortFrom(ip.Unmap(), a.Port()))
			}
		}
	}
	return own
}
