package handlers

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

// lookEvery is how often a stream looks at its job.
const lookEvery = 500 * time.Millisecond

// streamReplay tells of the progress of a job while it is made.
func (a *App) streamReplay(c *call) error {
	job, err := a.replayJob(c)
	if err != nil {
		return err
	}
	if job.Status.Final() && c.Get("Last-Event-ID") != "" {
		return c.noContent() // which tells browsers not to come back
	}
	who := c.caller // the call itself is over when the stream begins
	return a.events(c, func(ctx context.Context, out *sse) error { return a.tell(ctx, out, &who, job) })
}

// tell sends a job whenever it changed, until it is final, its caller may read no
// more, or ctx ends.
func (a *App) tell(ctx context.Context, out *sse, c *caller, job relay.ReplayJob) error {
	next, leave := a.watches.follow(job)
	defer leave()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	may := permit{caller: c, looked: time.Now()}
	var said []byte
	for spoken := time.Now(); ; {
		state := jobState(&job)
		now, err := json.Marshal(state)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(now, said):
			err, said, spoken = out.event("progress", state), now, time.Now()
		case time.Since(spoken) >= heartbeat:
			err, spoken = out.beat(), time.Now()
		}
		if err != nil {
			return err
		}
		if job.Status.Final() {
			return out.event("end", state)
		}
		job, err = next(ctx, beat.C)
		if ctx.Err() != nil || !may.holds(ctx, a) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// permit tells whether the caller of a long answer may still read.
type permit struct {
	*caller
	looked time.Time
}

// holds asks no more often than ordinary calls would. While the database does not
// answer, nothing has ended.
func (p *permit) holds(ctx context.Context, a *App) bool {
	if p.User == nil {
		return a.store.KeyLives(p.ID())
	}
	if time.Since(p.looked) < a.personLook {
		return true
	}
	p.looked = time.Now()
	lives, err := a.sessionLives(ctx, p.caller)
	return err != nil || lives
}

// exportReplay gives out the deliveries of a job, however many they are.
func (a *App) exportReplay(c *call) error {
	p := c.params("format", "status")
	status, format := p.deliveryStatus("status"), p.text("format")
	if format != "" && format != "csv" && format != "jsonl" {
		p.faults.add("format", "must be csv or jsonl")
	}
	if err := p.err(); err != nil {
		return err
	}
	job, err := a.replayJob(c)
	if err != nil {
		return err
	}
	contentType, name, write := "text/csv; charset=utf-8", relay.PrefixReplay.Format(job.ID)+".csv", writeCSV
	if format == "jsonl" {
		contentType, name, write = "application/jsonl", relay.PrefixReplay.Format(job.ID)+".jsonl", writeJSONLines
	}
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	return a.stream(c, contentType, exportTime, func(ctx context.Context, out *outflow) error {
		if err := write(out, nil); err != nil {
			return err
		}
		return a.store.EachReplayDelivery(ctx, job.ProjectID, job.ID, status, func(rows []relay.Delivery) error {
			if err := write(out, rows); err != nil {
				return err
			}
			return out.send()
		})
	})
}

func writeJSONLines(out *outflow, rows []relay.Delivery) error {
	lines := json.NewEncoder(out)
	for i := range rows {
		if err := lines.Encode(deliveryShape(&rows[i])); err != nil {
			return err
		}
	}
	return nil
}

var csvHeader = []string{
	"delivery_id", "event_id", "event_type", "endpoint_id", "source_id", "status", "attempts", "last_response_status", "last_error",
	"created_at", "delivered_at",
}

// writeCSV writes rows, or the header if there are none.
func writeCSV(out *outflow, rows []relay.Delivery) error {
	table := csv.NewWriter(out)
	table.UseCRLF = true // RFC 4180
	if rows == nil {
		_ = table.Write(csvHeader) // Error tells below
	}
	for i := range rows {
		d := &rows[i]
		_ = table.Write([]string{
			relay.PrefixDelivery.Format(d.ID), relay.PrefixEvent.Format(d.EventID), cell(d.EventType), relay.PrefixEndpoint.Format(d.EndpointID),
			relay.PrefixSource.Format(d.SourceID), string(d.Status), strconv.Itoa(d.Attempts), numberCell(d.LastResponseStatus), cell(d.LastError),
			timeCell(d.CreatedAt), timeCell(d.DeliveredAt),
		})
	}
	table.Flush()
	return table.Error()
}

// cell is a text from strangers as spreadsheets may have it: not as a formula.
func cell(s string) string {
	if first, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune("=+-@\t\r\n|%＝＋－＠", first) {
		return "'" + s
	}
	return s
}

func numberCell(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func timeCell(t time.Time) string {
	if at := timeOrNull(t); at != nil {
		return *at
	}
	return ""
}
