package send

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// What the product adds, in the canonical form that net/http expects of keys.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
	headerDelivery  = "X-Reprise-Delivery-Id"
	headerType      = "X-Reprise-Event-Type"
	headerAttempt   = "X-Reprise-Attempt"
	headerReplay    = "X-Reprise-Replay-Id"
	headerOriginal  = "X-Reprise-Original-Timestamp"
	headerHops      = "X-Reprise-Hops"
)

const (
	maxHops = 3
)

var (
	errUnsigned = errors.New("send: no secret can sign")
	errHops     = errors.New("send: the event goes round in a circle")
)

// header makes the headers of an attempt and records them in res. Of two with
// the same name the one that stands first here wins: the product's own, the
// endpoint's authentication, its extra headers, the event's.
func (s *Sender) header(req *Request, res *Result) (http.Header, error) {
	b := headerBuilder{list: make(relay.Headers, 0, len(req.Headers)+len(req.Endpoint.Headers)+12)}
	if err := b.own(req, res.StartedAt); err != nil {
		return nil, err
	}
	b.layer()
	secretFrom := len(b.list)
	b.authentication(req.Endpoint.Authentication)
	secretTo := len(b.list)
	b.layer()
	if extra := req.Endpoint.Headers; len(extra) > 0 {
		names := make([]string, len(extra))
		for i := range extra {
			names[i] = extra[i].Name
		}
		b.addAll(relay.ForwardHeaders(extra, names))
	}
	b.layer()
	if req.ContentType != "" {
		b.add("Content-Type", req.ContentType)
	}
	b.layer()
	for _, h := range relay.ForwardHeaders(req.Headers, req.Forward, req.Credentials...) {
		if name := textproto.CanonicalMIMEHeaderKey(h.Name); name != "Content-Type" {
			b.add(name, h.Value)
		}
	}
	b.layer()
	if s.opts.UserAgent != "" {
		b.add("User-Agent", s.opts.UserAgent)
	}

	header := b.header()
	for i := secretFrom; i < len(b.list); i++ {
		if i < secretTo {
			b.list[i].Value = relay.Mask
		}
	}
	res.RequestHeaders = relay.RedactHeaders(b.list, req.Credentials...)
	return header, nil
}

type headerBuilder struct {
	list  relay.Headers
	floor int // what stands before it beats what comes after
}

// layer ends a group of headers within which a name may repeat.
func (b *headerBuilder) layer() { b.floor = len(b.list) }

// add takes a name in canonical form.
func (b *headerBuilder) add(name, value string) {
	for i := range b.list[:b.floor] {
		if b.list[i].Name == name {
			return
		}
	}
	b.list = append(b.list, relay.Header{Name: name, Value: value})
}

func (b *headerBuilder) addAll(hs relay.Headers) {
	for _, h := range hs {
		b.add(textproto.CanonicalMIMEHeaderKey(h.Name), h.Value)
	}
}

func (b *headerBuilder) own(req *Request, now time.Time) error {
	b.add(headerID, req.EventID)
	b.add(headerTimestamp, strconv.FormatInt(now.Unix(), 10))
	if len(req.Endpoint.Secrets) > 0 {
		signature := relay.SignAll(req.Endpoint.Secrets, now, req.EventID, req.Body)
		if signature == "" {
			return errUnsigned
		}
		b.add(headerSignature, signature)
	}
	b.add(headerDelivery, req.DeliveryID)
	b.add(headerType, headerSafe(req.EventType))
	b.add(headerAttempt, strconv.Itoa(req.AttemptNumber))
	if req.IsReplay {
		b.add(headerReplay, req.ReplayRef)
		b.add(headerOriginal, req.ReceivedAt.UTC().Format(time.RFC3339Nano))
	}
	hops, err := hopsOf(req.Headers)
	if err == nil && hops > 0 {
		b.add(headerHops, strconv.Itoa(hops+1))
	}
	return err
}

// hopsOf counts the gateways that an event has come through, this one not
// included. An endpoint that leads back to a source, perhaps through a proxy,
// would otherwise go round for ever.
func hopsOf(in relay.Headers) (int, error) {
	hops := 0
	for i := range in {
		switch {
		case strings.EqualFold(in[i].Name, headerDelivery):
			hops = max(hops, 1)
		case strings.EqualFold(in[i].Name, headerHops):
			n, _ := strconv.Atoi(in[i].Value) // what is no number was not ours
			hops = max(hops, n)
		}
	}
	if hops >= maxHops {
		return hops, errHops
	}
	return hops, nil
}

func (b *headerBuilder) authentication(a relay.Authentication) {
	switch {
	case a.Type == relay.AuthAPIKey && a.APIKey != nil:
		b.addAll(relay.Headers{{Name: a.APIKey.HeaderName, Value: a.APIKey.HeaderValue}})
	case a.Type == relay.AuthBasic && a.BasicAuth != nil:
		pair := a.BasicAuth.Username + ":" + a.BasicAuth.Password
		b.add("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	case a.Type == relay.AuthBearer && a.Bearer != nil:
		b.add("Authorization", "Bearer "+a.Bearer.Token)
	}
}

// header turns the list into what net/http wants, all values in one piece of
// memory.
func (b *headerBuilder) header() http.Header {
	h := make(http.Header, len(b.list)+1)
	values := make([]string, len(b.list))
	for i := range b.list {
		name := b.list[i].Name
		values[i] = b.list[i].Value
		if before := h[name]; before != nil {
			h[name] = append(before, values[i])
		} else {
			h[name] = values[i : i+1 : i+1]
		}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = []string{""} // keeps net/http from naming itself
	}
	return h
}

// headerSafe drops what a header value cannot hold. Event types come out of
// payloads.
func headerSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}
