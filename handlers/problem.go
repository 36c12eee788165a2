package handlers

import (
	"encoding/json"
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/reprise-dev/reprise/relay"
)

// problem is an error as programs get it (RFC 9457).
type problem struct {
	Type      string             `json:"type"`
	Title     string             `json:"title"`
	Status    int                `json:"status"`
	Detail    string             `json:"detail"`
	Code      relay.Kind         `json:"code"`
	RequestID string             `json:"request_id"`
	Errors    []relay.FieldError `json:"errors,omitempty"`
}

const problemType = "application/problem+json"

// writeProblem makes an error the answer. Nothing of the request is repeated
// in it, so that unknown and foreign things read the same.
func writeProblem(resp *fasthttp.Response, status int, e *relay.Error) {
	body, err := json.Marshal(problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: e.Detail, Code: e.Kind,
		RequestID: requestID(resp), Errors: e.Fields,
	})
	if err != nil { // plain strings always marshal
		panic(err)
	}
	if status == http.StatusUnauthorized {
		resp.Header.Set("WWW-Authenticate", "Bearer")
	}
	setAPIHeaders(resp)
	resp.SetStatusCode(status)
	resp.Header.SetContentType(problemType)
	resp.SetBody(body)
}

// setAPIHeaders keeps answers out of caches, and browsers from making anything
// of them.
func setAPIHeaders(resp *fasthttp.Response) {
	resp.Header.Set("Cache-Control", "no-store")
	resp.Header.Set("X-Content-Type-Options", "nosniff")
	resp.Header.Set("Content-Security-Policy", answerPolicy)
}
