package handlers

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/reprise-dev/reprise/relay"
)

// shorten lets a call of the API whose body is too long run on the beginning of
// it, so that the answer can say which list is at fault. What was not read would
// be taken for the next request: the connection ends with this one.
func (a *App) shorten(header *fasthttp.RequestHeader) (unchanged fasthttp.RequestConfig) {
	most := a.o.MaxBodyBytes + bodySlack
	path, _, _ := strings.Cut(string(header.RequestURI()), "?")
	if header.ContentLength() > most && (strings.HasPrefix(path, "/api/v1/") || strings.HasPrefix(path, "/v1/")) {
		header.SetContentLength(most)
		header.SetConnectionClose()
	}
	return unchanged
}

// oversized is the error of a call whose body is too long.
func (a *App) oversized(body []byte) error {
	if field := longList(body); field != "" {
		return relay.Invalid(relay.FieldError{Field: field, Message: "holds too many ids for one call"})
	}
	return a.tooLarge()
}

// longList names the list of ids in a JSON object that is longer than any call
// takes. It reads no further than to there; the object may be cut off behind.
func longList(body []byte) string {
	in := json.NewDecoder(bytes.NewReader(body))
	if start, err := in.Token(); err != nil || start != json.Delim('{') {
		return ""
	}
	var value json.RawMessage
	for in.More() {
		token, err := in.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return ""
		}
		if !strings.HasSuffix(name, "_ids") {
			if err := in.Decode(&value); err != nil {
				return ""
			}
			continue
		}
		start, err := in.Token()
		if err == nil && start == nil {
			continue
		}
		if err != nil || start != json.Delim('[') {
			return ""
		}
		for n := 0; in.More(); n++ {
			if n == relay.MaxReplayIDs {
				return printable(name)
			}
			if err := in.Decode(&value); err != nil {
				return ""
			}
		}
		if _, err := in.Token(); err != nil {
			return ""
		}
	}
	return ""
}
