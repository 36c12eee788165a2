package handlers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
)

const (
	// streamTime is how long a page is told of news before it has to ask
	// again, and to show again who it is.
	streamTime = 5 * time.Minute
	// exportTime is how long an export may take.
	exportTime = time.Hour
	// heartbeat is how often something is sent though nothing happened, so
	// that connections nobody reads from are found.
	heartbeat = 10 * time.Second
)

// outflow is the body of an answer that is still being written.
type outflow struct {
	*bufio.Writer
	conn net.Conn
}

// send lets go what was written so far. The client has a while to take it.
func (o *outflow) send() error {
	if err := o.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return o.Flush()
}

// stream answers with a body that is written while it is sent, as fast as the
// client takes it. The context of write ends with the time given and when the
// server stops. If write fails, the answer breaks off visibly.
func (a *App) stream(c *call, contentType string, most time.Duration, write func(context.Context, *outflow) error) error {
	leave, err := a.streams.take(&c.caller)
	if err != nil {
		return err
	}
	c.Status(fiber.StatusOK)
	c.Response().Header.SetContentType(contentType)
	if c.Method() == fiber.MethodHead {
		leave()
		return nil
	}
	from, to := io.Pipe()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	stopping, out, id := c.Context().Done(), &outflow{bufio.NewWriter(to), c.Context().Conn()}, requestID(c.Response())
	go func() {
		select {
		case <-stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	go func() {
		defer leave()
		defer cancel()
		defer func() {
			if cause := recover(); cause != nil {
				a.log.ErrorContext(ctx, "writing an answer panicked", "request_id", id, "panic", cause, "stack", string(debug.Stack()))
				_ = to.CloseWithError(io.ErrUnexpectedEOF)
			}
		}()
		err := write(ctx, out)
		if err == nil {
			err = out.send()
		}
		_ = to.CloseWithError(err) // nil: the end
	}()
	c.Response().SetBodyStream(from, -1)
	return nil
}

// sse is a stream of server-sent events.
type sse struct {
	*outflow
	n int
}

// event sends one event with a value as JSON.
func (s *sse) event(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.n++
	if _, err := fmt.Fprintf(s, "id: %s\nevent: %s\ndata: %s\n\n", strconv.Itoa(s.n), name, data); err != nil {
		return err
	}
	return s.send()
}

// beat sends a comment.
func (s *sse) beat() error {
	if _, err := s.WriteString(":\n\n"); err != nil {
		return err
	}
	return s.send()
}

// events answers with server-sent events. A browser whose stream ends without
// having been told so comes back after a second.
func (a *App) events(c *call, write func(context.Context, *sse) error) error {
	c.Set("X-Accel-Buffering", "no") // nginx would hold them back
	return a.stream(c, "text/event-stream", a.streamTime, func(ctx context.Context, out *outflow) error {
		if _, err := out.WriteString("retry: 1000\n\n"); err != nil {
			return err
		}
		return write(ctx, &sse{outflow: out})
	})
}
