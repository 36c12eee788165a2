package handlers

import (
	"encoding/json"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
)

// envelope is the form of all answers but lists and errors.
type envelope struct {
	Data any `json:"data"`
}

// listing is the form of lists.
type listing struct {
	Data       any     `json:"data"`
	NextCursor *string `json:"next_cursor"`
	HasMore    bool    `json:"has_more"`
}

// reply answers with a value as it is.
func (c *call) reply(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.Status(status)
	c.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
	c.Response().SetBody(body)
	return nil
}

// data answers with an enveloped value.
func (c *call) data(status int, v any) error { return c.reply(status, envelope{v}) }

func (c *call) noContent() error {
	c.Status(fiber.StatusNoContent)
	return nil
}

// replyList answers with one page of a list.
func replyList[T, J any](c *call, rows db.Slice[T], shape func(*T) J) error {
	out := make([]J, len(rows.Rows))
	for i := range rows.Rows {
		out[i] = shape(&rows.Rows[i])
	}
	return c.reply(fiber.StatusOK, listing{Data: out, NextCursor: textOrNull(rows.Next), HasMore: rows.Next != ""})
}

// timeOrNull is a time as the API writes it; the zero time is null.
func timeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339Nano)
	return &s
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func numberOrNull(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// listOrEmpty keeps empty lists from being null.
func listOrEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// seconds is a duration as the API writes it.
func seconds(d time.Duration) float64 { return d.Seconds() }
