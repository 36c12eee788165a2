package send

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const defaultTimeout = 15 * time.Second

// Options configures a Sender.
type Options struct {
	Egress    relay.EgressPolicy
	SelfAddrs []netip.AddrPort // where this gateway listens: deliveries there would loop
	UserAgent string           // for events that brought none
	RootCAs   *x509.CertPool   // nil: the system's
	Now       func() time.Time // nil: time.Now
}

// Sender sends deliveries. Projects share no connection.
type Sender struct {
	opts Options
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu         sync.Mutex
	transports map[relay.ID]*transport
	swept      time.Time
}

// New makes a Sender. Close it in the end.
func New(opts Options) *Sender {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Sender{
		opts:       opts,
		dial:       guardedDial(opts.Egress, opts.SelfAddrs, pureResolver()),
		transports: make(map[relay.ID]*transport),
	}
}

// Close drops the idle connections. What is being sent goes on.
func (s *Sender) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, t := range s.transports {
		t.CloseIdleConnections()
		delete(s.transports, id)
	}
}

// Request is one attempt to be made. Its body and headers are not changed, and
// must not be changed by others until Send has returned.
type Request struct {
	DeliveryID    string // as sent: with their prefixes
	EventID       string
	ReplayRef     string // the replay job, or the delivery that is replayed
	EventType     string
	AttemptNumber int
	ReceivedAt    time.Time
	IsReplay      bool
	ContentType   string // the event's; empty: none is sent
	Body          []byte
	Headers       relay.Headers // as the event came in
	Forward       []string      // the source's list, see relay.ForwardHeaders
	Credentials   []string      // names of Headers that carried the source's own secret
	Endpoint      *relay.Endpoint
	ProjectID     relay.ID
}

// Result is what came of one attempt.
type Result struct {
	relay.Result
	RequestHeaders  relay.Headers // as sent, secrets masked
	ResponseHeaders relay.Headers // sorted by name
	ResponseBody    []byte        // the first 16 KiB at most, never decompressed
	Truncated       bool          // there was, or may have been, more
	StartedAt       time.Time
	Duration        time.Duration
}

// Send makes one attempt: signed afresh, no redirect followed, no answer
// trusted. It never fails otherwise than by its Result. If ctx ends first, the
// outcome is OutcomeInterrupted, for the receiver may have got the request.
func (s *Sender) Send(ctx context.Context, req Request) Result {
	res := Result{StartedAt: s.opts.Now()}
	s.attempt(ctx, &req, &res)
	res.Duration = max(s.opts.Now().Sub(res.StartedAt), 0)
	return res
}

func (s *Sender) attempt(ctx context.Context, req *Request, res *Result) {
	u, problem := s.opts.Egress.CheckURL(req.Endpoint.URL)
	if problem != "" {
		res.Outcome, res.Err = relay.OutcomeBlocked, sentenceBlocked
		return
	}
	header, err := s.header(req, res)
	if err != nil {
		res.Outcome, res.Err = explain(err, req, u.Hostname())
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	deadline := newDeadline(timeoutOf(req.Endpoint), cancel)
	defer deadline.stop()

	via, addr := s.transport(req.ProjectID), addrOf(u)
	out := newRequest(ctx, u, header, req.Body)
	out.Close = via.wantsFresh(addr)
	resp, err := via.RoundTrip(out)
	if err != nil {
		switch {
		case deadline.passed.Load():
			err = errTimeout
		case ctx.Err() != nil:
			err = errInterrupted
		}
		res.Outcome, res.Err = explain(err, req, u.Hostname())
		if res.Outcome == relay.OutcomeReset {
			via.useFresh(addr)
		}
		return
	}
	defer resp.Body.Close()

	res.Status = resp.StatusCode
	res.ResponseHeaders = responseHeaders(resp.Header)
	res.RetryAfter = resp.Header.Get("Retry-After")
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// Its body is the bare connection: reading would hang past every
		// timeout, so it is closed as it is (golang/go, net/http Response.Body).
		res.Outcome, res.Err = relay.OutcomeProtocol, sentenceSwitching
		return
	}
	res.Outcome = relay.Classify(resp.StatusCode)
	res.Err = statusSentence(resp)
	if resp.Body == http.NoBody {
		return
	}
	deadline.shorten(excerptTimeout)
	var broken error
	res.ResponseBody, res.Truncated, broken = excerpt(resp)
	if broken != nil && !deadline.passed.Load() && isReset(broken) {
		res.Outcome, res.Err = relay.OutcomeReset, cutSentence(resp.StatusCode)
	}
}

func newRequest(ctx context.Context, u *url.URL, header http.Header, body []byte) *http.Request {
	r := http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: http.NoBody, ContentLength: int64(len(body)),
	}
	if len(body) > 0 {
		// GetBody serves a connection that turns out closed before a byte
		// was written.
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Body, _ = r.GetBody()
	}
	return r.WithContext(ctx)
}

func timeoutOf(e *relay.Endpoint) time.Duration {
	if e.HTTPTimeout > 0 {
		return e.HTTPTimeout
	}
	return defaultTimeout
}
