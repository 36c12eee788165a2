package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func sourcesPage(v *visit) error {
	last, err := v.store.LastEventBySource(v.ctx, v.project.ID)
	if err != nil {
		return err
	}
	sources := v.sources()
	stats, err := statsOfEach(v, dayByHour(v.now), sources, func(src *relay.Source) relay.ID { return src.ID })
	if err != nil {
		return err
	}
	m := views.SourcesModel{Frame: v.frame}
	for _, src := range sources {
		row := v.sourceRow(src, stats[src.ID])
		row.LastEventAt = last[src.ID]
		m.Rows = append(m.Rows, row)
	}
	return v.render(fiber.StatusOK, views.SourcesPage(m))
}

func (v *visit) sourceRow(src *relay.Source, stats db.Stats) views.SourceRow {
	return views.SourceRow{
		Source: src, URL: v.app.ingestURL(src), Events: int(stats.Total.Events), Rejected: int(stats.Total.Rejected),
		Spark: eventsByStep(stats.Course),
	}
}

func newSourcePage(v *visit) error {
	return v.render(fiber.StatusOK, views.SourceNewPage(views.SourceFormModel{Frame: v.frame, Form: newSourceForm()}))
}

func sourcePage(v *visit) error {
	src, err := v.source()
	if err != nil {
		return err
	}
	return v.showSource(fiber.StatusOK, src, v.Query("tab"), sourceForm(src))
}

// source finds the source that the path names.
func (v *visit) source() (*relay.Source, error) {
	id, err := v.pathID(relay.PrefixSource)
	if err != nil {
		return nil, err
	}
	return v.store.Source(v.project.ID, id)
}

func (v *visit) showSource(status int, src *relay.Source, tab string, form views.SourceForm) error {
	w := dayByHour(v.now)
	stats, err := v.store.Stats(v.ctx, w.query(v.project.ID, src.ID))
	if err != nil {
		return err
	}
	row := v.sourceRow(src, stats)
	m := views.SourceModel{Frame: v.at(sourcePath(src.ID)), Tab: tab, Row: row, Form: form}
	events, err := v.store.Events(v.ctx, v.project.ID, db.EventFilter{SourceID: src.ID}, db.Page{Limit: 10})
	if err != nil {
		return err
	}
	if m.Recent, err = v.eventRows(events.Rows); err != nil {
		return err
	}
	if len(events.Rows) > 0 {
		m.Row.LastEventAt = events.Rows[0].ReceivedAt
	}
	return v.render(status, views.SourcePage(m))
}

func sourcePath(id relay.ID) string { return "/sources/" + relay.PrefixSource.Format(id) }

// firstIngestURL is the URL of the oldest source for a line to try out; empty
// without one.
func (v *visit) firstIngestURL() (relay.ID, string) {
	for _, src := range v.sources() {
		return src.ID, v.app.ingestURL(src)
	}
	return relay.ID{}, ""
}
