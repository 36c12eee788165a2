package views

import (
	"time"

	"github.com/a-h/templ"

	"github.com/reprise-dev/reprise/relay"
)

// fixturePages are all pages, filled and empty, by the name of their preview.
func fixturePages() map[string]templ.Component {
	pages := map[string]templ.Component{
		"login":         LoginPage(LoginModel{Email: "mara.lindqvist@acme.example", Error: "The e-mail address or the password is wrong."}),
		"setup":         SetupPage(SetupModel{Token: "t"}),
		"setup-invalid": SetupPage(SetupModel{TokenInvalid: true}),
		"error-404":     ErrorPage(ErrorModel{Frame: fixtureFrame("/x"), Status: 404, RequestID: "0198c3b2-7d1e"}),
		"error-500":     ErrorPage(ErrorModel{Status: 500, RequestID: "0198c3b2-7d1e"}),
		"keys":          KeysPage(fixtureKeys(fixtureFrame("/api-keys"))),
		"keys-empty":    KeysPage(KeysModel{Frame: fixtureFrame("/api-keys")}),
		"audit":         AuditPage(fixtureAudit()),
		"audit-empty":   AuditPage(AuditModel{Frame: fixtureFrame("/audit-log"), Pager: Pager{Count: -1}}),
		"live":          LiveBar(LiveModel{Path: "/events", Since: "evt_x", Count: 12}),
	}
	addOverview(pages)
	addSources(pages)
	addEndpoints(pages)
	addEvents(pages)
	addDeliveries(pages)
	addReplays(pages)
	settings := SettingsModel{Frame: fixtureFrame("/settings"), StartedAt: before(53 * time.Hour), System: []Fact{
		{"Database", "SQLite, 412 MB", "data/reprise.db"}, {"Queue", "embedded Redis", "For one process. Set REDIS_URL to run several."},
		{"Largest body", "5 MiB", ""}, {"Deliveries at once", "64", ""}, {"Egress", "public addresses only", "REPRISE_EGRESS_ALLOW adds networks."},
	}, PasswordErrors: map[string]string{"current_password": "That is not the present password."}}
	pages["settings"] = SettingsPage(settings)
	return pages
}

func addOverview(pages map[string]templ.Component) {
	frame := fixtureFrame("/?range=24h")
	pages["overview-first"] = OverviewPage(OverviewModel{Frame: Frame{UserEmail: "mara@acme.example", ProjectName: "Acme", Now: fixtureNow}, Range: "24h"})
	pages["overview-second"] = OverviewPage(OverviewModel{
		Frame: Frame{UserEmail: "mara@acme.example", ProjectName: "Acme", Now: fixtureNow}, Range: "1h", From: before(time.Hour), To: fixtureNow,
		HasSource: true, HasEndpoint: true, FirstIngestURL: "https://hooks.acme.example/in/stripe-live", Buckets: make([]Bucket, 60),
	})
	frame.Flash = &Flash{Text: "14 dead letters are being replayed.", LinkURL: "/deliveries", LinkLabel: "See them"}
	frame.Notices = []Notice{{Text: "Redis does not answer.", Detail: "Events are taken and kept; deliveries go out again when it is back."}}
	pages["overview"] = OverviewPage(OverviewModel{
		Frame: frame, Range: "24h", From: before(24 * time.Hour), To: fixtureNow, Current: fixtureTotals(12873), Before: fixtureTotals(11544),
		Buckets: fixtureBuckets(48, 30*time.Minute), Pending: 1300, Retrying: 18, OldestWaiting: before(47 * time.Minute), DeadLetters: 14,
		HasSource: true, HasEndpoint: true, HasEvent: true,
		Attention: []Attention{
			{Kind: AttentionFailing, ID: fixtureID(604), Name: "Analytics", Count: 412, Of: 1240, Detail: "No answer within 15 s.", Since: before(95 * time.Minute)},
			{Kind: AttentionDeadLetters, ID: fixtureID(604), Name: "Analytics", Count: 14, Detail: "The endpoint answered 500 Internal Server Error.", Since: before(80 * time.Minute)},
			{Kind: AttentionReplay, ID: fixtureID(3002), Name: "Replay “Billing was down”", Count: 5046, Detail: "Brake: 27 of the last 50 deliveries failed.", Since: before(2 * time.Hour)},
			{Kind: AttentionPaused, ID: fixtureID(603), Name: "Warehouse sync", Count: 1304, Detail: "Paused by mara.lindqvist@acme.example: stock count under way", Since: before(3 * time.Hour)},
			{Kind: AttentionRejected, ID: fixtureID(503), Name: "Shopify EU", Count: 37, Since: before(9 * time.Hour)},
		},
	})
}

func addSources(pages map[string]templ.Component) {
	var rows []SourceRow
	for i, ref := range fixtureSources {
		src := &relay.Source{ID: ref.ID, Name: ref.Name, Slug: ref.Slug, Type: relay.SourceHTTP, RetentionDays: 30,
			Verifier: relay.Verifier{Type: []string{"stripe", "github", "shopify", relay.VerifierNoop}[i]}, IsDisabled: i == 2}
		if i == 3 {
			src.Type = relay.SourceRESTAPI
		}
		spark := make([]int, 24)
		for h := range spark {
			spark[h] = (h*h*13 + i*29) % 40
		}
		rows = append(rows, SourceRow{Source: src, URL: "https://hooks.acme.example/in/" + ref.Slug, Events: 4200 / (i + 1), Rejected: i % 3 * 37, LastEventAt: before(time.Duration(i*i*40+9) * time.Second), Spark: spark})
	}
	pages["sources"] = SourcesPage(SourcesModel{Frame: fixtureFrame("/sources"), Rows: rows})
	pages["sources-empty"] = SourcesPage(SourcesModel{Frame: fixtureFrame("/sources")})
	form := SourceForm{Type: "http", VerifierType: "stripe", RetentionDays: "30"}
	pages["source-new"] = SourceNewPage(SourceFormModel{Frame: fixtureFrame("/sources/new"), Form: form})
	form = SourceForm{Name: "Stripe, live", Slug: "stripe live", Type: "http", VerifierType: "hmac", RetentionDays: "900", ResponseStatus: "200", Errors: map[string]string{
		"slug": "Use lower-case letters, digits and dashes, such as stripe-live.", "retention_days": "Use a number from 1 to 365.", "hmac_secret": "Enter the secret."}}
	pages["source-new-faults"] = SourceNewPage(SourceFormModel{Frame: fixtureFrame("/sources/new"), Form: form})
	pages["source"] = SourcePage(SourceModel{Frame: fixtureFrame("/sources/x"), Row: rows[0], Recent: fixtureEventRows(10)})
	pages["source-fresh"] = SourcePage(SourceModel{Frame: fixtureFrame("/sources/x"), Row: rows[3]})
	form = SourceForm{ID: rows[0].Source.ID, Name: "Stripe, live", Slug: "stripe-live", Type: "http", VerifierType: "stripe", SecretSet: true, RetentionDays: "30"}
	pages["source-settings"] = SourcePage(SourceModel{Frame: fixtureFrame("/sources/x?tab=settings"), Tab: "settings", Row: rows[0], Form: form})
}

func addEndpoints(pages map[string]templ.Component) {
	var rows []EndpointRow
	for i, ref := range fixtureEndpoints {
		e := &relay.Endpoint{ID: ref.ID, Name: ref.Name, URL: ref.URL, Status: ref.Status, Retry: relay.DefaultRetryPolicy(), HTTPTimeout: 15 * time.Second, CreatedAt: before(800 * time.Hour)}
		row := EndpointRow{Endpoint: e, Totals: fixtureTotals(1900 / (i + 1)), Buckets: fixtureBuckets(24, time.Hour), LastAt: before(time.Duration(i*i*70+14) * time.Second)}
		row.Totals.Failures = row.Totals.Attempts / 200
		switch i {
		case 2:
			row.Waiting, e.PauseReason = 1304, "Paused by mara.lindqvist@acme.example: stock count under way."
		case 3:
			row.Totals.Failures, row.DeadLetters = row.Totals.Attempts/3, 14
		case 4:
			row.Totals, row.Buckets, row.LastAt = Totals{}, make([]Bucket, 24), time.Time{}
		}
		rows = append(rows, row)
	}
	pages["endpoints"] = EndpointsPage(EndpointsModel{Frame: fixtureFrame("/endpoints"), Rows: rows})
	pages["endpoints-empty"] = EndpointsPage(EndpointsModel{Frame: fixtureFrame("/endpoints")})
	form := EndpointForm{
		Sources: fixtureSources, SourceIDs: []string{sourceID(fixtureSources[0].ID)}, RetryMaxRetries: "5", RetryInitialDelay: "10", RetryFactor: "2.5", RetryMaxDelay: "3600",
		RetrySchedule: relay.DefaultRetryPolicy().Schedule(), HTTPTimeout: "15", AuthType: relay.AuthBearer,
	}
	pages["endpoint-new"] = EndpointNewPage(EndpointFormModel{Frame: fixtureFrame("/endpoints/new"), Form: form})
	model := EndpointModel{
		Frame: fixtureFrame("/endpoints/x"), Row: rows[3], Sources: fixtureSources, Recent: fixtureDeliveryRows(10), EventTypes: fixtureTypes,
		Secrets: []Secret{{"whsec_MfKQ…x9Tw", before(20 * time.Hour), time.Time{}}, {"whsec_p3Rb…Qa01", before(900 * time.Hour), fixtureNow.Add(4 * time.Hour)}},
	}
	pages["endpoint"] = EndpointPage(model)
	model.Row, model.NewSecret, model.Recent = rows[2], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwx9Tw", nil
	pages["endpoint-paused"] = EndpointPage(model)
	form.ID, form.Name, form.URL, form.AuthSet = rows[0].Endpoint.ID, rows[0].Endpoint.Name, rows[0].Endpoint.URL, true
	model.Row, model.Tab, model.Form, model.NewSecret = rows[0], "settings", form, ""
	pages["endpoint-settings"] = EndpointPage(model)
}

func addEvents(pages map[string]templ.Component) {
	list := EventsModel{Frame: fixtureFrame("/events"), Sources: fixtureSources, Types: fixtureTypes, Rows: fixtureEventRows(25), Pager: Pager{Next: "c2", Count: 10000, CountCapped: true}, Ever: true}
	pages["events"] = EventsPage(list)
	list.Filter = EventFilter{SourceID: sourceID(fixtureSources[0].ID), Status: "failed", From: "2026-11-22T08:00:00Z", Q: "cus_RCx8mQ"}
	list.Rows, list.Pager = list.Rows[:3], Pager{Cursor: "c1", Count: 3}
	pages["events-filtered"] = EventsPage(list)
	list.Rows, list.Errors = nil, map[string]string{"from": "Use a time such as 2026-11-22T08:00:00Z."}
	pages["events-fault"] = EventsPage(list)
	list.Errors = nil
	pages["events-none"] = EventsPage(list)
	pages["events-empty"] = EventsPage(EventsModel{Frame: fixtureFrame("/events"), CurlURL: "https://hooks.acme.example/in/stripe-live"})

	model := EventModel{
		Frame: fixtureFrame("/events/x"), Event: fixtureEvent(4), Source: fixtureSources[0], IngestURL: "https://hooks.acme.example/in/stripe-live",
		Payload: &relay.Payload{Method: "POST", Query: "tenant=eu", IP: "54.187.174.169", Headers: fixtureHeaders, Body: []byte(fixtureBody)},
		NewerID: fixtureID(3), OlderID: fixtureID(5),
	}
	model.Event.EventType, model.Event.Size = "invoice.payment_failed", len(fixtureBody)
	for i, reason := range []relay.RouteReason{relay.RouteMatched, relay.RouteFilter, relay.RoutePaused, relay.RouteMatched, relay.RouteDisabled} {
		model.Routes = append(model.Routes, RouteRow{fixtureEndpoints[i], reason})
		model.Targets = append(model.Targets, ReplayTarget{fixtureEndpoints[i], i%3 == 0, []relay.DeliveryStatus{"delivered", "", "pending", "dlq", ""}[i]})
	}
	replay := fixtureDelivery(6)
	model.Deliveries = []EventDelivery{
		{replay, fixtureEndpoints[0], []*relay.Attempt{fixtureAttempt(1, before(time.Minute), relay.OutcomeSuccess, 200, 84*time.Millisecond, "", `{"ok":true}`)}},
		{fixtureDelivery(3), fixtureEndpoints[3], fixtureAttempts()},
		{fixtureDelivery(4), fixtureEndpoints[2], nil},
	}
	pages["event"] = EventPage(model)
	rejected := model
	rejected.Event, rejected.Deliveries, rejected.Routes = fixtureEvent(6), nil, nil
	rejected.NotReplayable = "The signature was not valid, so it is never delivered and never replayed."
	rejected.Payload = &relay.Payload{Method: "POST", IP: "198.51.100.4", Headers: fixtureHeaders[:2], Body: []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xca, 0x48, 0xcd}}
	pages["event-rejected"] = EventPage(rejected)
	pages["event-hostile"] = EventPage(hostileEvent(model))
}

func addDeliveries(pages map[string]templ.Component) {
	list := DeliveriesModel{Frame: fixtureFrame("/deliveries"), Endpoints: fixtureEndpoints, Types: fixtureTypes, Rows: fixtureDeliveryRows(25), Pager: Pager{Cursor: "c1", Next: "c2", Count: 4182}, Ever: true}
	pages["deliveries"] = DeliveriesPage(list)
	pages["deliveries-empty"] = DeliveriesPage(DeliveriesModel{Frame: fixtureFrame("/deliveries"), CurlURL: "https://hooks.acme.example/in/stripe-live"})
	pages["dead-letters"] = DeadLettersPage(DeadLettersModel{
		Frame: fixtureFrame("/dead-letters"), Endpoints: fixtureEndpoints, Rows: fixtureDeadRows(14), Pager: Pager{Count: 14},
		All: 14, Causes: []DeadLetterCause{
			{fixtureEndpoints[3], "timeout", "No answer within 15 s.", 9, before(80 * time.Minute), before(6 * time.Minute)},
			{fixtureEndpoints[3], "status:500:ab", "The endpoint answered 500 Internal Server Error: relation \"invoices\" does not exist", 3, before(3 * time.Hour), before(80 * time.Minute)},
			{fixtureEndpoints[0], "connect", "The connection to 203.0.113.7:443 was refused: nothing listens there.", 2, before(26 * time.Hour), before(26 * time.Hour)},
		},
	})
	pages["dead-letters-empty"] = DeadLettersPage(DeadLettersModel{Frame: fixtureFrame("/dead-letters")})
	delivery := fixtureDelivery(1)
	delivery.CreatedAt = before(12 * time.Minute)
	older := fixtureDelivery(3)
	older.ReplayedBy, older.CreatedAt = delivery.ID, before(5*time.Hour)
	delivery.Trigger, delivery.ReplayOf = relay.TriggerReplay, older.ID
	model := DeliveryModel{
		Frame: fixtureFrame("/deliveries/x"), Delivery: delivery, Event: fixtureEvent(4), Source: fixtureSources[0], Endpoint: fixtureEndpoints[0],
		Attempts: fixtureAttempts(), Lineage: []*relay.Delivery{older, delivery},
	}
	pages["delivery"] = DeliveryPage(model)
	done := fixtureDelivery(0)
	model.Delivery, model.Lineage, model.NoDiscard = done, nil, "It is delivered: there is nothing left to stop."
	model.Attempts = []*relay.Attempt{fixtureAttempt(1, done.CreatedAt, relay.OutcomeSuccess, 200, 84*time.Millisecond, "", `{"ok":true}`)}
	pages["delivery-delivered"] = DeliveryPage(model)
	pages["delivery-hostile"] = DeliveryPage(hostileDelivery(model))
}

func fixtureKeys(f Frame) KeysModel {
	return KeysModel{Frame: f, New: &NewKey{"deploy script", "rp_5dQ2wq8vX1nB7eZk0mTfYc3HsR9uLpGa"}, Keys: []*relay.APIKey{
		{ID: fixtureID(1), Name: "deploy script", Scope: relay.ScopeWrite, Hint: "rp_5dQ2…LpGa", CreatedAt: before(time.Second)},
		{ID: fixtureID(2), Name: "Grafana", Scope: relay.ScopeRead, Hint: "rp_0aBc…77Xq", CreatedAt: before(900 * time.Hour), LastUsedAt: before(40 * time.Second)},
		{ID: fixtureID(3), Name: "old CI", Scope: relay.ScopeWrite, Hint: "rp_qqPl…0wEr", CreatedAt: before(4000 * time.Hour), LastUsedAt: before(1000 * time.Hour), RevokedAt: before(90 * time.Hour)},
	}}
}

func fixtureAudit() AuditModel {
	person := relay.Actor{Kind: relay.ActorUser, Name: "mara.lindqvist@acme.example", IP: "203.0.113.9"}
	key := relay.Actor{Kind: relay.ActorKey, Name: "deploy script", IP: "198.51.100.23"}
	m := AuditModel{Frame: fixtureFrame("/audit-log"), Actions: []string{"endpoint.paused", "event.replayed", "source.created"}, Pager: Pager{Next: "c2", Count: 231}}
	for i, e := range []relay.AuditEntry{
		{Actor: person, Action: "endpoint.paused", Target: relay.PrefixEndpoint.Format(fixtureID(603)), Data: map[string]any{"reason": "stock count under way"}},
		{Actor: key, Action: "event.replayed", Target: relay.PrefixEvent.Format(fixtureID(4)), Data: map[string]any{"endpoints": 2}},
		{Actor: relay.Actor{Kind: relay.ActorSystem}, Action: "endpoint.paused", Target: relay.PrefixEndpoint.Format(fixtureID(604)), Data: map[string]any{"reason": "410 Gone"}},
		{Actor: person, Action: "webhook_delivery.replayed", Target: relay.PrefixDelivery.Format(fixtureID(2003)), Data: map[string]any{"event_type": "invoice.payment_failed"}},
		{Actor: relay.Actor{Kind: relay.ActorUser, Name: "<b>x</b>@evil.example", IP: "192.0.2.77"}, Action: "session.failed"},
	} {
		e.ID, e.At = fixtureID(i), before(time.Duration(i*i*400+30)*time.Second)
		m.Rows = append(m.Rows, &e)
	}
	return m
}
