package handlers

import (
	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func deliveriesPage(v *visit) error {
	list := v.deliveryList(append([]string{"since"}, deliveryParams...)...)
	if list.ok() && v.isPoll() && !list.since.IsZero() {
		list.filter.Since = list.since
		n, err := v.store.CountDeliveries(v.ctx, v.project.ID, list.filter, liveCap+1)
		return v.liveBar(n, err, views.LiveModel{
			Path: "/deliveries", Filter: list.shown.Values(), Since: relay.PrefixDelivery.Format(list.since),
		})
	}
	if err := list.fill(v); err != nil {
		return err
	}
	m := views.DeliveriesModel{
		Frame: v.frame, Filter: list.shown, Errors: list.errors, Endpoints: v.endpointRefs(), Types: list.types,
		Rows: list.rows, Pager: list.pager, Ever: len(list.rows) > 0,
	}
	if !m.Ever {
		n, err := v.store.CountDeliveries(v.ctx, v.project.ID, db.DeliveryFilter{}, 1)
		if err != nil {
			return err
		}
		m.Ever = n > 0
	}
	if len(m.Rows) > 0 {
		m.Pager.Replay = deliveriesReplay(list.shown, string(list.filter.Status))
	}
	_, m.CurlURL = v.firstIngestURL()
	return v.render(list.status(), views.DeliveriesPage(m))
}

// deliveryList is what lists of deliveries have in common.
type deliveryList struct {
	*filters
	shown  views.DeliveryFilter
	filter db.DeliveryFilter
	since  relay.ID
	rows   []views.DeliveryRow
	pager  views.Pager
	types  []string
}

func (v *visit) deliveryList(known ...string) *deliveryList {
	l := &deliveryList{filters: v.filters(known...)}
	l.filter = deliveryFilter(l.params)
	l.since = l.id("since", relay.PrefixDelivery)
	l.shown = views.DeliveryFilter{
		EndpointID: v.Query("endpoint_id"), EventID: v.Query("event_id"), ReplayID: v.Query("replay_id"),
		EventType: v.Query("event_type"), Status: l.values["status"], From: v.Query("from"), To: v.Query("to"),
	}
	return l
}

func (l *deliveryList) fill(v *visit) error {
	var place db.Page
	place, l.pager = v.place()
	if !l.ok() {
		return nil
	}
	found, err := v.store.Deliveries(v.ctx, v.project.ID, l.filter, place)
	if err = l.listed(err); err != nil || l.errors != nil {
		return err
	}
	types := make([]string, len(found.Rows))
	for i := range found.Rows {
		types[i] = found.Rows[i].EventType
	}
	l.rows, l.types, l.pager.Next = v.deliveryRows(found.Rows), v.typesOf(types), found.Next
	l.pager.Count, l.pager.CountCapped, err = capped(v.store.CountDeliveries(v.ctx, v.project.ID, l.filter, countCap+1))
	return err
}

func (v *visit) deliveryRows(deliveries []relay.Delivery) []views.DeliveryRow {
	rows := make([]views.DeliveryRow, len(deliveries))
	for i := range deliveries {
		rows[i] = views.DeliveryRow{Delivery: &deliveries[i], Endpoint: v.endpointRef(deliveries[i].EndpointID)}
	}
	return rows
}

func deliveryPath(id relay.ID) string { return "/deliveries/" + relay.PrefixDelivery.Format(id) }
