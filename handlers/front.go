package handlers

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/reprise-dev/reprise/relay"
)

// front is before Fiber: it names the request, refuses what should not be
// routed at all, and answers for handlers that panic.
func (a *App) front(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(rc *fasthttp.RequestCtx) {
		start, id := time.Now(), newRequestID()
		defer a.logRequest(rc, start, id)
		rc.Response.Header.Set(requestIDHeader, id)
		defer harden(&rc.Response)
		defer func() {
			if cause := recover(); cause != nil {
				a.log.ErrorContext(context.Background(), "a handler panicked", "request_id", id, "panic", cause, "stack", string(debug.Stack()))
				rc.Response.Reset()
				rc.Response.Header.Set(requestIDHeader, id)
				writeProblem(&rc.Response, fiber.StatusInternalServerError,
					&relay.Error{Kind: relay.KindInternal, Detail: "Something went wrong on our side. The request id helps to find out what."})
			}
		}()
		if e := refuse(&rc.Request); e != nil {
			rc.SetConnectionClose()
			writeProblem(&rc.Response, statusOf(e.Kind), e)
			return
		}
		if a.onIngestHost(rc) && !bytes.HasPrefix(rc.URI().PathOriginal(), ingestPrefix) {
			rc.SetConnectionClose()
			writeProblem(&rc.Response, fiber.StatusNotFound, errNothing)
			return
		}
		done, e := a.bodies.read(rc)
		defer done()
		if e != nil {
			a.refuseBody(rc, e)
			return
		}
		next(rc)
	}
}

// refuseBody answers a request whose body is not read, or not to its end.
func (a *App) refuseBody(rc *fasthttp.RequestCtx, e *relay.Error) {
	if bytes.HasPrefix(rc.URI().PathOriginal(), ingestPrefix) {
		switch e.Kind {
		case relay.KindTooLarge:
			a.counts.tooLarge.Inc()
		case relay.KindUnavailable:
			a.counts.unavailable.Inc()
		}
	}
	rc.SetConnectionClose()
	linger(rc.Conn())
	c := a.AcquireCtx(rc)
	defer a.ReleaseCtx(c)
	if err := a.handleError(c, e); err != nil {
		a.log.ErrorContext(context.Background(), "drawing the page of an error", "error", err)
	}
}

// logRequest writes a line about a request that is finished. What only reads,
// and what comes from providers by the thousand, is for debugging. The query is
// left out: it can hold secrets.
func (a *App) logRequest(rc *fasthttp.RequestCtx, start time.Time, id string) {
	level := slog.LevelInfo
	if isSafe(string(rc.Method())) || bytes.HasPrefix(rc.URI().PathOriginal(), ingestPrefix) {
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !a.log.Enabled(ctx, level) {
		return
	}
	a.log.Log(ctx, level, "request", "method", string(rc.Method()), "path", string(rc.URI().PathOriginal()),
		"status", rc.Response.StatusCode(), "duration", time.Since(start), "ip", a.clientIP(rc), "request_id", id)
}

var ingestPrefix = []byte("/in/")

func newRequestID() string {
	var raw [12]byte
	hi, lo := rand.Uint64(), rand.Uint32()
	for i := range 8 {
		raw[i] = byte(hi >> (8 * i))
	}
	for i := range 4 {
		raw[8+i] = byte(lo >> (8 * i))
	}
	return "req_" + hex.EncodeToString(raw[:])
}

// refuse finds requests that Fiber must not see: methods that it does not
// know, and framing that other software on the way may read differently
// (RFC 9112, 6.3 and 11.2).
func refuse(req *fasthttp.Request) *relay.Error {
	switch string(req.Header.Method()) {
	case fiber.MethodGet, fiber.MethodPost, fiber.MethodPut, fiber.MethodPatch, fiber.MethodDelete, fiber.MethodHead, fiber.MethodOptions:
	case fiber.MethodTrace, fiber.MethodConnect:
		return &relay.Error{Kind: kindMethodNotAllowed, Detail: "This method is not allowed here."}
	default:
		return &relay.Error{Kind: kindNotImplemented, Detail: "This method is not known."}
	}
	if len(req.Header.Host()) == 0 {
		return malformed("The request names no host.")
	}
	return checkLines(req.Header.RawHeaders())
}

func malformed(detail string) *relay.Error {
	return &relay.Error{Kind: relay.KindInvalidRequest, Detail: detail}
}

var (
	contentLength    = []byte("content-length")
	transferEncoding = []byte("transfer-encoding")
)

// checkLines looks at the header lines as they came.
func checkLines(raw []byte) *relay.Error {
	var hasLength, hasEncoding bool
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end < 0 {
			end = len(raw)
		}
		line := raw[:end]
		raw = raw[min(end+1, len(raw)):]
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		} else if n > 0 {
			return malformed("A header line does not end with CR LF.")
		}
		if len(line) == 0 {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			return malformed("A header is folded over several lines.")
		}
		if bytes.IndexByte(line, '\r') >= 0 || bytes.IndexByte(line, 0) >= 0 {
			return malformed("A header contains a control character.")
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || line[colon-1] == ' ' || line[colon-1] == '\t' {
			return malformed("A header line has no valid name.")
		}
		switch colon {
		case len(contentLength):
			hasLength = hasLength || bytes.EqualFold(line[:colon], contentLength)
		case len(transferEncoding):
			hasEncoding = hasEncoding || bytes.EqualFold(line[:colon], transferEncoding)
		}
	}
	if hasLength && hasEncoding {
		return malformed("The request has both Content-Length and Transfer-Encoding.")
	}
	return nil
}
