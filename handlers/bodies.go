package handlers

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"golang.org/x/sync/semaphore"

	"github.com/reprise-dev/reprise/relay"
)

const (
	// pageBody bounds the body of a form and of a log-in.
	pageBody = 64 << 10
	// leastBudget and budgetBodies say how many bytes of bodies are in memory
	// at most: so many, or so many of the largest ones.
	leastBudget  = 64 << 20
	budgetBodies = 8
	// bodyStep is how much is set aside at first for a body of unknown length;
	// then as much again as there is.
	bodyStep = 16 << 10
)

// bodies reads the bodies of requests, within limits and a budget of bytes that
// all requests under way share.
type bodies struct {
	most   int // of a webhook or a call
	budget *semaphore.Weighted
}

func newBodies(most int) *bodies {
	return &bodies{most: most, budget: semaphore.NewWeighted(int64(max(leastBudget, budgetBodies*most)))}
}

// limit is how long the body of a request to a path may be.
func (b *bodies) limit(path []byte) int {
	rest, v1 := bytes.CutPrefix(path, []byte("/v1/"))
	if !v1 {
		rest, v1 = bytes.CutPrefix(path, []byte("/api/v1/"))
	}
	switch {
	case bytes.HasPrefix(path, ingestPrefix), v1 && string(rest) != "session":
		return b.most
	}
	return min(b.most, pageBody)
}

func tooLarge(limit int) *relay.Error {
	return &relay.Error{Kind: relay.KindTooLarge, Detail: "The body must have at most " + strconv.Itoa(limit) + " bytes."}
}

var (
	errBusy     = &relay.Error{Kind: relay.KindUnavailable, Detail: "Too much is being received right now. Try again.", RetryAfter: time.Second}
	errLate     = &relay.Error{Kind: kindTimeout, Detail: "The request did not arrive in time."}
	errBodyLost = &relay.Error{Kind: relay.KindInvalidRequest, Detail: "The body of the request is not whole."}
)

// expect answers a client that asks before it sends a body.
func (a *App) expect(rc *fasthttp.RequestCtx) int {
	limit := a.bodies.limit(rc.URI().PathOriginal())
	if rc.Request.Header.ContentLength() <= limit {
		return fiber.StatusContinue
	}
	rc.Response.Header.Set(requestIDHeader, newRequestID())
	writeProblem(&rc.Response, fiber.StatusRequestEntityTooLarge, tooLarge(limit))
	linger(rc.Conn())
	return fiber.StatusRequestEntityTooLarge
}

// read puts the body of a request into memory of its own. What it holds of the
// budget is given back by done. After an error the connection must end, since
// what was not read would be taken for the next request.
func (b *bodies) read(rc *fasthttp.RequestCtx) (done func(), err *relay.Error) {
	held := int64(0)
	done = func() { b.budget.Release(held) }
	limit, length := b.limit(rc.URI().PathOriginal()), rc.Request.Header.ContentLength()
	if length > limit {
		return done, tooLarge(limit)
	}
	stream := rc.RequestBodyStream()
	if stream == nil || length == 0 {
		return done, nil
	}
	body := []byte{}
	for size := length; ; size = min(2*cap(body), limit+1) {
		if length < 0 {
			size = max(size, min(bodyStep, limit+1))
		}
		more := int64(size - cap(body))
		if !b.budget.TryAcquire(more) {
			return done, errBusy
		}
		held += more
		body = append(make([]byte, 0, size), body...)
		n, fault := io.ReadFull(stream, body[len(body):size])
		body = body[:len(body)+n]
		switch {
		case len(body) > limit:
			return done, tooLarge(limit)
		case fault == nil && len(body) == length, length < 0 && (fault == io.EOF || fault == io.ErrUnexpectedEOF):
			rc.Request.SetBodyRaw(body)
			return done, nil
		case fault != nil:
			return done, readFault(fault)
		}
	}
}

func readFault(err error) *relay.Error {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return errLate
	}
	return errBodyLost
}
