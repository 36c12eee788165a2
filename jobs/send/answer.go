package send

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const (
	maxExcerpt     = 16 << 10 // of a response body
	excerptTimeout = 2 * time.Second
)

// deadline cancels an attempt and remembers that it did.
type deadline struct {
	passed atomic.Bool
	timer  *time.Timer
	end    time.Time
}

func newDeadline(d time.Duration, cancel context.CancelFunc) *deadline {
	l := &deadline{end: time.Now().Add(d)}
	l.timer = time.AfterFunc(d, func() { l.passed.Store(true); cancel() })
	return l
}

func (l *deadline) stop() { l.timer.Stop() }

// shorten leaves the attempt d at most from now.
func (l *deadline) shorten(d time.Duration) {
	if l.timer.Stop() {
		l.timer.Reset(min(d, time.Until(l.end)))
	}
}

var excerptBuffers = sync.Pool{New: func() any { return new([maxExcerpt + 1]byte) }}

// excerpt reads the beginning of a body. When the body is no longer than that
// the connection stays usable; otherwise closing the body closes it.
func excerpt(resp *http.Response) (body []byte, truncated bool, err error) {
	if l := resp.ContentLength; l >= 0 && l <= maxExcerpt {
		body = make([]byte, l)
		n, err := io.ReadFull(resp.Body, body)
		return body[:n], err != nil, err
	}
	buf := excerptBuffers.Get().(*[maxExcerpt + 1]byte)
	defer excerptBuffers.Put(buf)
	n := 0
	for n < len(buf) && err == nil {
		var more int
		more, err = resp.Body.Read(buf[n:])
		n += more
	}
	switch {
	case n > maxExcerpt:
		return bytes.Clone(buf[:maxExcerpt]), true, nil
	case err == io.EOF:
		return bytes.Clone(buf[:n]), false, nil
	}
	return bytes.Clone(buf[:n]), true, err
}

func responseHeaders(h http.Header) relay.Headers {
	out := make(relay.Headers, 0, len(h))
	for name, values := range h {
		for _, v := range values {
			out = append(out, relay.Header{Name: name, Value: v})
		}
	}
	slices.SortStableFunc(out, func(a, b relay.Header) int { return strings.Compare(a.Name, b.Name) })
	return out
}
