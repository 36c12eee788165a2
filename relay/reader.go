package relay

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"
)

// reader finds values in a request. It looks once what its body is: JSON, a
// form, or neither.
type reader struct {
	p       *Payload
	checked bool
	json    gjson.Result // of a JSON body
	form    []formField  // of a form
}

type formField struct {
	name, value string
	json        gjson.Result // of a value that is JSON
}

// maxFields bounds how many fields of a form are looked into.
const maxFields = 1000

var byteOrderMark = []byte("\xef\xbb\xbf")

func (r *reader) look() {
	if r.checked {
		return
	}
	r.checked = true
	body := bytes.TrimPrefix(r.p.Body, byteOrderMark)
	if shallow(body) && gjson.ValidBytes(body) {
		r.json = gjson.ParseBytes(body)
		return
	}
	if !hasPrefixFold(r.p.Headers.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return
	}
	for pair := range strings.SplitSeq(string(body), "&") {
		if len(r.form) == maxFields {
			return
		}
		name, value, _ := strings.Cut(pair, "=")
		f := formField{name: unescape(name), value: unescape(value)}
		if start := strings.TrimLeft(f.value, " \t\r\n"); start != "" && (start[0] == '{' || start[0] == '[') && shallow([]byte(start)) && gjson.Valid(start) {
			f.json = gjson.Parse(start)
		}
		r.form = append(r.form, f)
	}
}

// root is the whole body, if it is JSON.
func (r *reader) root() gjson.Result {
	r.look()
	return r.json
}

// body is the value at a dotted path of plain names and array indexes. In a form
// the path begins with the name of a field; it goes on in the JSON that the
// field holds. The empty path is the whole of a JSON body.
func (r *reader) body(path string) gjson.Result {
	r.look()
	switch {
	case path == "":
		return r.json
	case r.json.Exists():
		return r.json.Get(plainPath(path))
	}
	for i := range r.form {
		f := &r.form[i]
		if f.name == path {
			return gjson.Result{Type: gjson.String, Str: f.value}
		}
		if rest, ok := strings.CutPrefix(path, f.name+"."); ok && f.json.Exists() {
			return f.json.Get(plainPath(rest))
		}
	}
	return gjson.Result{}
}

// usual are the values by the usual names of something: of the body's object or
// form, then of the first element of its array, then of the JSON in its form.
func (r *reader) usual(names ...string) []gjson.Result {
	r.look()
	var found []gjson.Result
	for _, name := range names {
		found = append(found, r.body(name))
	}
	documents := []gjson.Result{r.json.Get("0")}
	for i := range r.form {
		if f := &r.form[i]; f.json.Exists() {
			documents = append(documents, f.json, f.json.Get("0"))
		}
	}
	for _, d := range documents {
		for _, name := range names {
			found = append(found, d.Get(name))
		}
	}
	return found
}

// unescape decodes a name or value of a form, as far as it is encoded rightly.
func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
