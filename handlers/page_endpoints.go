package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func endpointsPage(v *visit) error {
	l, err := v.loads()
	if err != nil {
		return err
	}
	w, endpoints := dayByHour(v.now), v.endpoints()
	stats, err := statsOfEach(v, w, endpoints, func(e *relay.Endpoint) relay.ID { return e.ID })
	if err != nil {
		return err
	}
	newest, err := v.store.NewestByEndpoint(v.ctx, v.project.ID)
	if err != nil {
		return err
	}
	m := views.EndpointsModel{Frame: v.frame}
	for _, e := range endpoints {
		row := endpointRow(e, l, stats[e.ID], w)
		row.LastAt = newest[e.ID]
		m.Rows = append(m.Rows, row)
	}
	return v.render(fiber.StatusOK, views.EndpointsPage(m))
}

// loads are the deliveries of each endpoint that wait, and those that died.
type loads struct{ waiting, dead map[relay.ID]int64 }

func (v *visit) loads() (l loads, err error) {
	if l.waiting, err = v.store.WaitingByEndpoint(v.ctx, v.project.ID); err == nil {
		l.dead, err = v.store.DeadByEndpoint(v.ctx, v.project.ID)
	}
	return l, err
}

func endpointRow(e *relay.Endpoint, l loads, stats db.Stats, w window) views.EndpointRow {
	return views.EndpointRow{
		Endpoint: e, Totals: totalsOf(stats.Total), Buckets: w.buckets(stats.Course),
		Waiting: int(l.waiting[e.ID]), DeadLetters: int(l.dead[e.ID]),
	}
}

func (v *visit) oneEndpointRow(e *relay.Endpoint, l loads) (views.EndpointRow, error) {
	w := dayByHour(v.now)
	stats, err := v.store.Stats(v.ctx, w.query(v.project.ID, e.ID))
	row := endpointRow(e, l, stats, w)
	if err != nil {
		return row, err
	}
	newest, err := v.store.Deliveries(v.ctx, v.project.ID, db.DeliveryFilter{EndpointID: e.ID}, db.Page{Limit: 1})
	if len(newest.Rows) > 0 {
		row.LastAt = newest.Rows[0].CreatedAt
	}
	return row, err
}

func newEndpointPage(v *visit) error {
	form := endpointForm(v.app.newEndpoint(v.project.ID))
	form.ID = relay.ID{}
	form.Sources = v.sourceRefs()
	return v.render(fiber.StatusOK, views.EndpointNewPage(views.EndpointFormModel{Frame: v.frame, Form: form}))
}

func endpointPage(v *visit) error {
	e, err := v.endpoint()
	if err != nil {
		return err
	}
	return v.showEndpoint(fiber.StatusOK, e, shownEndpoint{tab: v.Query("tab"), newSecret: v.takeOnce(endpointPath(e.ID)).Value, form: endpointForm(e)})
}

// endpoint finds the endpoint that the path names.
func (v *visit) endpoint() (*relay.Endpoint, error) {
	id, err := v.pathID(relay.PrefixEndpoint)
	if err != nil {
		return nil, err
	}
	return v.store.Endpoint(v.project.ID, id)
}

// shownEndpoint is what one request shows of an endpoint beside its state.
type shownEndpoint struct {
	tab       string
	newSecret string
	form      views.EndpointForm
}

func (v *visit) showEndpoint(status int, e *relay.Endpoint, show shownEndpoint) error {
	l, err := v.loads()
	if err != nil {
		return err
	}
	m := views.EndpointModel{Frame: v.at(endpointPath(e.ID)), Tab: show.tab, NewSecret: show.newSecret, Form: show.form}
	if m.Row, err = v.oneEndpointRow(e, l); err != nil {
		return err
	}
	m.Sources = v.sourceRefs()
	m.Form.Sources = m.Sources
	recent, err := v.store.Deliveries(v.ctx, v.project.ID, db.DeliveryFilter{EndpointID: e.ID}, db.Page{Limit: 10})
	if err != nil {
		return err
	}
	m.Recent = v.deliveryRows(recent.Rows)
	for i := len(e.Secrets) - 1; i >= 0; i-- {
		if s := e.Secrets[i]; !s.Expired(v.now) {
			m.Secrets = append(m.Secrets, views.Secret{Hint: relay.MaskSecret(s.Value), CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt})
		}
	}
	m.EventTypes = v.testTypes(e, recent.Rows)
	return v.render(status, views.EndpointPage(m))
}

// testTypes are the event types to choose from for a test: what the endpoint
// asks for and what it got of late.
func (v *visit) testTypes(e *relay.Endpoint, recent []relay.Delivery) []string {
	var seen []string
	for _, d := range recent {
		seen = append(seen, d.EventType)
	}
	types := []string{}
	for _, t := range append(v.typesOf(seen), "test.ping") {
		if relay.MatchType(e.EventFilter, t) {
			types = append(types, t)
		}
	}
	if len(types) == 0 {
		return []string{"test.ping"}
	}
	return types
}

func endpointPath(id relay.ID) string { return "/endpoints/" + relay.PrefixEndpoint.Format(id) }
