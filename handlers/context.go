package handlers

import (
	"context"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/reprise-dev/reprise/relay"
)

// caller is who makes a request, and for which project.
type caller struct {
	Actor    relay.Actor     // as the audit log records it
	Project  relay.ID        // zero: a person who is in no project
	Scope    relay.Scope     // people may write
	User     *relay.User     // nil: a key
	Projects []relay.Project // of the person; of a key, none
	session  string          // token of the person's session
}

// ID is the identity that limits and idempotency keys are counted for.
func (c *caller) ID() relay.ID { return c.Actor.ID }

// call is one request together with who makes it.
type call struct {
	*fiber.Ctx
	caller
	ctx context.Context // ends with the time that the request may take

	leaveSession bool            // as it is stored, whatever this call changed
	after        func(err error) // runs when the session is saved; may be nil
}

// handler handles a call of the API or of a page.
type handler func(*call) error

type localKey int

const callKey localKey = iota

// callOf is the call that a Fiber context belongs to, nil if nobody was
// identified.
func callOf(c *fiber.Ctx) *call {
	found, _ := c.Locals(callKey).(*call)
	return found
}

// param is a part of the path, decoded.
func (c *call) param(name string) string {
	raw := c.Params(name)
	if plain, err := url.PathUnescape(raw); err == nil {
		return plain
	}
	return raw
}

// id reads an id out of the path.
func (c *call) id(name string, prefix relay.Prefix) (relay.ID, error) {
	return relay.ParseID(prefix, c.param(name))
}

// body is the request's body, raw. It is valid only during the request.
func (c *call) body() []byte { return c.Request().Body() }

const requestIDHeader = "X-Request-Id"

// requestID is the id in the answer's header.
func requestID(resp *fasthttp.Response) string {
	return string(resp.Header.Peek(requestIDHeader))
}

// clientIP is the address of the peer; behind trusted proxies it is the last
// one in X-Forwarded-For that is not a trusted proxy itself, since all before
// it is hearsay.
func (a *App) clientIP(rc *fasthttp.RequestCtx) string {
	peer, _ := netip.AddrFromSlice(rc.RemoteIP())
	peer = peer.Unmap()
	if len(a.o.TrustedProxies) == 0 || !a.trusted(peer) {
		return addrText(peer)
	}
	lines := rc.Request.Header.PeekAll(fiber.HeaderXForwardedFor)
	for i := len(lines) - 1; i >= 0; i-- {
		parts := strings.Split(string(lines[i]), ",")
		for j := len(parts) - 1; j >= 0; j-- {
			addr, err := netip.ParseAddr(strings.TrimSpace(parts[j]))
			if err != nil {
				return addrText(peer)
			}
			peer = addr.Unmap()
			if !a.trusted(peer) {
				return addrText(peer)
			}
		}
	}
	return addrText(peer)
}

func (a *App) trusted(addr netip.Addr) bool {
	for _, prefix := range a.o.TrustedProxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

func addrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.WithZone("").String()
}
