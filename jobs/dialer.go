package jobs

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const (
	dialTimeout      = 5 * time.Second // name and connection together
	handshakeTimeout = 5 * time.Second // TLS
)

var (
	errBlocked = errors.New("jobs: not an address to deliver to")
	errLoop    = errors.New("jobs: the address of this gateway")
	errStale   = errors.New("jobs: the kept-alive connection is closed")
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
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return newFreshConn(conn), nil
	}
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

// freshConn refuses to begin a request on a connection that the receiver has
// closed since its last answer. Receivers that answer and close without saying
// so are common, and the transport notices a moment too late: the request
// would be lost, and a POST is not sent again. Refused before its first byte,
// it goes out on another connection.
type freshConn struct {
	net.Conn
	raw  syscall.RawConn
	idle atomic.Bool // nothing was written since the last read
}

func newFreshConn(conn net.Conn) net.Conn {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return conn
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return conn
	}
	return &freshConn{Conn: conn, raw: raw}
}

func (c *freshConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.idle.Store(true)
	}
	return n, err
}

func (c *freshConn) Write(p []byte) (int, error) {
	if c.idle.Swap(false) && peerClosed(c.raw) {
		return 0, errStale
	}
	return c.Conn.Write(p)
}
