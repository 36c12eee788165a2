package handlers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/reprise-dev/reprise/relay"
)

// opt is a field of a JSON body that may be absent, null or given.
type opt[T any] struct {
	Given bool // present, be it null
	Null  bool
	Value T
}

// has reports whether there is a value.
func (o opt[T]) has() bool { return o.Given && !o.Null }

// change writes the field's value over target: a null puts the default there,
// an absent field changes nothing.
func (o opt[T]) change(target *T, byDefault T) {
	switch {
	case o.Null:
		*target = byDefault
	case o.Given:
		*target = o.Value
	}
}

func (o *opt[T]) decode(raw json.RawMessage, path string, f *faults) {
	o.Given = true
	if string(raw) == "null" {
		o.Null = true
		return
	}
	decodeValue(raw, reflect.ValueOf(&o.Value).Elem(), path, f)
}

// optional is what opt is, whatever its type.
type optional interface {
	decode(raw json.RawMessage, path string, f *faults)
}

// faults are what is wrong with an input, by field.
type faults []relay.FieldError

func (f *faults) add(field, message string) {
	*f = append(*f, relay.FieldError{Field: field, Message: message})
}

func (f faults) err() error { return relay.Invalid(f...) }

// with joins the faults of reading with those of a validation. A field that
// could not be read is not judged again for what stands in its place.
func (f faults) with(valid error) error {
	if valid != nil && relay.KindOf(valid) != relay.KindValidation {
		return valid
	}
	all := f
	unread := map[string]bool{}
	for _, fault := range f {
		unread[fault.Field] = true
	}
	var e *relay.Error
	if errors.As(valid, &e) {
		for _, fault := range e.Fields {
			if !unread[fault.Field] {
				all = append(all, fault)
			}
		}
	}
	return all.err()
}

// decodeBody reads a JSON object into a struct whose fields are all opts. It is
// strict: fields that the struct does not have are refused by name, and so are
// values of the wrong type. The body may be empty if empty is set.
func decodeBody(body []byte, into any, empty bool) error {
	if empty && len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if !json.Valid(body) {
		return &relay.Error{Kind: relay.KindInvalidRequest, Detail: "The body must be one JSON object. " + syntaxFault(body)}
	}
	var f faults
	decodeObject(bytes.TrimSpace(body), reflect.ValueOf(into).Elem(), "", &f)
	return f.err()
}

func syntaxFault(body []byte) string {
	if len(bytes.TrimSpace(body)) == 0 {
		return "It is empty."
	}
	return "It is not valid JSON, or something stands after its end."
}

func decodeObject(raw json.RawMessage, into reflect.Value, path string, f *faults) {
	var members map[string]json.RawMessage
	if raw[0] != '{' || json.Unmarshal(raw, &members) != nil {
		f.add(cmp.Or(path, "body"), "must be an object")
		return
	}
	t := into.Type()
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("json")
		member, given := members[name]
		if !given {
			continue
		}
		delete(members, name)
		into.Field(i).Addr().Interface().(optional).decode(member, join(path, name), f)
	}
	unknown := make([]string, 0, len(members))
	for name := range members {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown[:min(len(unknown), 20)] {
		f.add(join(path, printable(name)), "is not a field of this call")
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// printable bounds a name that a stranger chose.
func printable(name string) string {
	if len(name) > 100 {
		name = name[:100]
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

// decodeValue reads one value, which is not null.
func decodeValue(raw json.RawMessage, into reflect.Value, path string, f *faults) {
	if into.Type() == reflect.TypeFor[json.RawMessage]() {
		into.SetBytes(raw)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		decodeObject(raw, into, path, f)
	default:
		if json.Unmarshal(raw, into.Addr().Interface()) != nil {
			f.add(path, wanted(into.Type()))
		}
	}
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Bool:
		return "must be true or false"
	case reflect.Int:
		return "must be a whole number"
	case reflect.Float64:
		return "must be a number"
	case reflect.Slice:
		return "must be a list of strings"
	case reflect.Map:
		return "must be an object of strings"
	default:
		return "has the wrong type"
	}
}
