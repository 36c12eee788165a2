package handlers

import (
	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func eventsPage(v *visit) error {
	f := v.filters(append([]string{"since"}, eventParams...)...)
	filter := eventFilter(f.params)
	m := views.EventsModel{Frame: v.frame, Filter: views.EventFilter{
		SourceID: v.Query("source_id"), EventType: v.Query("event_type"), Status: v.Query("status"),
		SignatureValid: v.Query("signature_valid"), From: v.Query("from"), To: v.Query("to"), Q: v.Query("q"),
		IdempotencyKey: v.Query("idempotency_key"),
	}}
	since := f.id("since", relay.PrefixEvent)
	if f.ok() && v.isPoll() && !since.IsZero() {
		filter.Since = since
		n, err := v.store.CountEvents(v.ctx, v.project.ID, filter, liveCap+1)
		return v.liveBar(n, err, views.LiveModel{Path: "/events", Filter: m.Filter.Values(), Since: relay.PrefixEvent.Format(since)})
	}
	if err := v.fillEvents(&m, f, filter); err != nil {
		return err
	}
	if len(m.Rows) > 0 {
		m.Pager.Replay = eventsReplay(m.Filter)
	}
	m.Sources = v.sourceRefs()
	_, m.CurlURL = v.firstIngestURL()
	if m.Ever = len(m.Rows) > 0; !m.Ever {
		var err error
		if m.Ever, err = v.everReceived(); err != nil {
			return err
		}
	}
	m.Errors = f.errors
	return v.render(f.status(), views.EventsPage(m))
}

func (v *visit) fillEvents(m *views.EventsModel, f *filters, filter db.EventFilter) error {
	place, pager := v.place()
	m.Pager = pager
	if !f.ok() {
		return nil
	}
	found, err := v.store.Events(v.ctx, v.project.ID, filter, place)
	if err = f.listed(err); err != nil || f.errors != nil {
		return err
	}
	if m.Rows, err = v.eventRows(found.Rows); err != nil {
		return err
	}
	m.Pager.Next = found.Next
	types := make([]string, len(found.Rows))
	for i := range found.Rows {
		types[i] = found.Rows[i].EventType
	}
	m.Types = v.typesOf(types)
	if !found.SearchedTo.IsZero() {
		m.Notices = append(m.Notices, views.Notice{
			Tone:   views.ToneNeutral,
			Text:   "Searched back to " + found.SearchedTo.Format("2 Jan 2006 15:04 UTC") + ". The next page searches further.",
			Detail: "A search through bodies stops after a second. Narrow it by source, type or time to reach further at once.",
		})
	}
	if filter.Q != "" {
		return nil
	}
	m.Pager.Count, m.Pager.CountCapped, err = capped(v.store.CountEvents(v.ctx, v.project.ID, filter, countCap+1))
	return err
}

// eventRows adds to events where they came from and how far they got.
func (v *visit) eventRows(events []relay.Event) ([]views.EventRow, error) {
	ids := make([]relay.ID, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	deliveries, err := v.store.DeliveriesOfEvents(v.ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]views.EventRow, len(events))
	for i := range events {
		rows[i] = views.EventRow{Event: &events[i], Source: v.sourceRef(events[i].SourceID)}
		for _, d := range newestByEndpoint(deliveries[events[i].ID]) {
			rows[i].Deliveries++
			if d.Status == relay.DeliveryDelivered {
				rows[i].Delivered++
			}
		}
	}
	return rows, nil
}

func newestByEndpoint(deliveries []relay.Delivery) map[relay.ID]relay.Delivery {
	newest := map[relay.ID]relay.Delivery{}
	for _, d := range deliveries {
		if seen, ok := newest[d.EndpointID]; !ok || string(d.ID[:]) > string(seen.ID[:]) {
			newest[d.EndpointID] = d
		}
	}
	return newest
}

func (v *visit) everReceived() (bool, error) {
	n, err := v.store.CountEvents(v.ctx, v.project.ID, db.EventFilter{}, 1)
	return n > 0, err
}

func eventPath(id relay.ID) string { return "/events/" + relay.PrefixEvent.Format(id) }
