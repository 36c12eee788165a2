package handlers

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/reprise-dev/reprise/relay"
)

var (
	errNoSource   = &relay.Error{Kind: relay.KindNotFound, Detail: "There is no source at this address."}
	errSourceOff  = &relay.Error{Kind: relay.KindGone, Detail: "This source is disabled."}
	errUnreadable = &relay.Error{Kind: relay.KindUnavailable, Detail: "This source cannot receive right now. Try again.", RetryAfter: time.Minute}
	errSignature  = &relay.Error{Kind: relay.KindUnauthorized, Detail: "The signature is missing or wrong."}
)

// ingest receives a webhook. What a provider learns is whether it was kept,
// never which check failed.
func (a *App) ingest(c *fiber.Ctx) error {
	src, ok := a.store.SourceBySlug(c.Params("slug"))
	if !ok || src.Type != relay.SourceHTTP {
		a.counts.unknown.Inc()
		return errNoSource
	}
	if src.IsDisabled {
		a.counts.disabled.Inc()
		return errSourceOff
	}
	if src.Unreadable {
		a.counts.unavailable.Inc()
		return errUnreadable
	}
	now := a.clock()
	if src.RateLimit > 0 {
		if ok, wait := a.sources.take(src.ID, src.RateLimit, now); !ok {
			a.counts.limited.Inc()
			return &relay.Error{Kind: relay.KindRateLimited, Detail: "This source receives too many requests. Try again later.", RetryAfter: wait}
		}
	}
	called := string(c.Context().URI().PathOriginal())
	in := a.judge(src, relay.Payload{
		Method:  string(c.Request().Header.Method()),
		Path:    pathBehind(called, src.Slug),
		Query:   string(c.Request().URI().QueryString()),
		IP:      a.clientIP(c.Context()),
		Headers: copyHeaders(&c.Request().Header),
		Body:    c.Request().Body(), // in memory of its own, see bodies

		Credentials: src.Verifier.CredentialHeaders(),
	}, now)
	in.event.EventType = relay.EventType(*src, &in.payload)
	in.event.IdempotencyKey = relay.IdempotencyKey(*src, &in.payload)
	in.event.Verdict = relay.Verify(src.Verifier, now, &in.payload, a.calledSite(c.Context())+called)
	if in.event.SignatureValid = in.event.Verdict.OK(); in.event.SignatureValid {
		a.plan(in, src)
	} else {
		in.event.Status = relay.EventRejected
	}
	event, _, err := a.receive(context.Background(), in)
	if err != nil {
		a.counts.unavailable.Inc()
		return err
	}
	return a.acknowledge(c.Response(), src, &event)
}

// acknowledge answers for an event that is committed.
func (a *App) acknowledge(resp *fasthttp.Response, src *relay.Source, event *relay.Event) error {
	switch event.Status {
	case relay.EventRejected:
		a.counts.rejected.Inc()
		return errSignature
	case relay.EventDuplicate:
		a.counts.duplicate.Inc()
	default:
		a.counts.accepted.Inc()
	}
	if own := src.CustomResponse; own != nil {
		resp.SetStatusCode(own.Status)
		resp.Header.SetContentType(own.AnswerType())
		resp.SetBodyString(own.Body)
		return nil
	}
	if event.Status == relay.EventDuplicate {
		writeReceipt(resp, fiber.StatusOK, event.DuplicateOf, event.Status, true)
	} else {
		writeReceipt(resp, src.AnswerStatus(), event.ID, event.Status, false)
	}
	return nil
}

// writeReceipt writes JSON by hand: it is said to every provider every time.
func writeReceipt(resp *fasthttp.Response, status int, id relay.ID, event relay.EventStatus, duplicate bool) {
	var room [160]byte
	b := append(room[:0], `{"event_id":"`...)
	b = append(b, relay.PrefixEvent.Format(id)...)
	b = append(b, `","status":"`...)
	b = append(b, event...)
	b = append(b, `","duplicate":`...)
	if duplicate {
		b = append(b, "true}"...)
	} else {
		b = append(b, "false}"...)
	}
	resp.SetStatusCode(status)
	resp.Header.SetContentType(fiber.MIMEApplicationJSON)
	resp.SetBody(b)
}

// pathBehind is what follows the slug in the path of a call, if it is more than
// a slash.
func pathBehind(called, slug string) string {
	if path := strings.TrimPrefix(called, "/in/"+slug); path != "/" {
		return path
	}
	return ""
}

// copyHeaders takes the header lines as they came: all of them, in their order
// and letter case. One copy of the bytes holds every name and value.
func copyHeaders(h *fasthttp.RequestHeader) relay.Headers {
	text := string(h.RawHeaders())
	headers := make(relay.Headers, 0, strings.Count(text, "\n"))
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSuffix(line, "\r")
		if name, value, ok := strings.Cut(line, ":"); ok {
			headers = append(headers, relay.Header{Name: name, Value: strings.Trim(value, " \t")})
		}
	}
	return headers
}
