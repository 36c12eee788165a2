package handlers

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// sourceRef names a source beside something else; one that was deleted has no
// name.
func (v *visit) sourceRef(id relay.ID) views.SourceRef {
	src, err := v.store.Source(v.project.ID, id)
	if err != nil {
		return views.SourceRef{}
	}
	return views.SourceRef{ID: src.ID, Name: src.Name, Slug: src.Slug}
}

// endpointRef names an endpoint beside something else; one that was deleted
// has no name.
func (v *visit) endpointRef(id relay.ID) views.EndpointRef {
	e, err := v.store.Endpoint(v.project.ID, id)
	if err != nil {
		return views.EndpointRef{}
	}
	return refOf(e)
}

func refOf(e *relay.Endpoint) views.EndpointRef {
	return views.EndpointRef{ID: e.ID, Name: e.Name, URL: e.URL, Status: e.Status}
}

// sources and endpoints are all of the project, oldest first.
func (v *visit) sources() []*relay.Source     { return v.store.Config().SourcesOf(v.project.ID) }
func (v *visit) endpoints() []*relay.Endpoint { return v.store.Config().EndpointsOf(v.project.ID) }

// everything reads a list to its end. It is for what people make by hand.
func everything[T any](ctx context.Context, project relay.ID, list func(context.Context, relay.ID, db.Page) (db.Slice[T], error)) ([]*T, error) {
	var all []*T
	page := db.Page{Limit: 100}
	for {
		part, err := list(ctx, project, page)
		if err != nil {
			return nil, err
		}
		all = append(all, pointers(part.Rows)...)
		if page.Cursor = part.Next; page.Cursor == "" {
			return all, nil
		}
	}
}

func pointers[T any](rows []T) []*T {
	out := make([]*T, len(rows))
	for i := range rows {
		out[i] = &rows[i]
	}
	return out
}

// sourceRefs are the sources to choose from, by name.
func (v *visit) sourceRefs() []views.SourceRef {
	var refs []views.SourceRef
	for _, src := range v.sources() {
		refs = append(refs, views.SourceRef{ID: src.ID, Name: src.Name, Slug: src.Slug})
	}
	slices.SortFunc(refs, func(a, b views.SourceRef) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.Slug, b.Slug))
	})
	return refs
}

// endpointRefs are the endpoints to choose from, by name.
func (v *visit) endpointRefs() []views.EndpointRef {
	var refs []views.EndpointRef
	for _, e := range v.endpoints() {
		refs = append(refs, refOf(e))
	}
	slices.SortFunc(refs, func(a, b views.EndpointRef) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.URL, b.URL))
	})
	return refs
}

// typesOf are the event types that a list can suggest to filter by: those of
// its rows and those that endpoints ask for.
func (v *visit) typesOf(rows []string) []string {
	types := slices.Clone(rows)
	for _, e := range v.endpoints() {
		types = append(types, e.EventFilter...)
	}
	slices.Sort(types)
	types = slices.Compact(types)
	return slices.DeleteFunc(types, func(t string) bool { return strings.HasSuffix(t, "*") })
}
