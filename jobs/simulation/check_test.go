package simulation

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// row is a delivery in the database.
type row struct {
	relay.Delivery
	due, leased bool
}

// rows are all deliveries.
func (w *world) rows() (out []row) {
	found, err := w.sql.Query(`SELECT id, event_id, endpoint_id, status, attempts, due_at IS NOT NULL, lease_until IS NOT NULL, replay_id, replayed_by FROM deliveries`)
	w.must(err)
	defer found.Close()
	for found.Next() {
		var r row
		w.must(found.Scan(&r.ID, &r.EventID, &r.EndpointID, &r.Status, &r.Attempts, &r.due, &r.leased, &r.ReplayID, &r.ReplayedBy))
		out = append(out, r)
	}
	w.must(found.Err())
	return out
}

// number is what a query counts.
func (w *world) number(query string, args ...any) (n int) {
	w.must(w.sql.QueryRow(query, args...).Scan(&n))
	return n
}

// check looks at what must hold at any time. Nobody is within a transaction.
func (w *world) check() {
	rows := w.rows()
	w.checkKept(rows)
	running := w.running()
	for _, r := range rows {
		parked := !r.ReplayID.IsZero() && !running[r.ReplayID] // with its job
		if r.due && r.leased || r.Status.Final() && (r.due || r.leased) || !r.Status.Final() && !r.due && !r.leased && !parked {
			w.broken("%s is %s, due: %t, in somebody's hands: %t", relay.PrefixDelivery.Format(r.ID), r.Status, r.due, r.leased)
		}
	}
	w.checkSums(rows)
	w.checkCounts()
	w.checkInFlight()
}

// running are the replay jobs that run and have nothing left to settle.
func (w *world) running() map[relay.ID]bool {
	out := map[relay.ID]bool{}
	found, err := w.sql.Query("SELECT id FROM replays WHERE status = 'running' AND NOT settling")
	w.must(err)
	defer found.Close()
	for found.Next() {
		var id relay.ID
		w.must(found.Scan(&id))
		out[id] = true
	}
	w.must(found.Err())
	return out
}

// checkKept: what was accepted is there, with a delivery to each endpoint.
func (w *world) checkKept(rows []row) {
	made := map[relay.ID]map[relay.ID]int{}
	for _, r := range rows {
		if r.ReplayID.IsZero() {
			if made[r.EventID] == nil {
				made[r.EventID] = map[relay.ID]int{}
			}
			made[r.EventID][r.EndpointID]++
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for event, to := range w.accepted {
		for endpoint := range to {
			if made[event][endpoint] == 0 {
				w.broken("%s was accepted and has no delivery to %s", relay.PrefixEvent.Format(event), relay.PrefixEndpoint.Format(endpoint))
			}
		}
	}
}

// checkSums: an event's status is what its deliveries make it.
func (w *world) checkSums(rows []row) {
	of := map[relay.ID][]relay.Delivery{}
	for _, r := range rows {
		of[r.EventID] = append(of[r.EventID], r.Delivery)
	}
	events, err := w.sql.Query("SELECT id, status FROM events")
	w.must(err)
	defer events.Close()
	for events.Next() {
		var id relay.ID
		var status relay.EventStatus
		w.must(events.Scan(&id, &status))
		if want := relay.EventStatusOf(of[id]); status != want {
			w.broken("%s is %s, and its deliveries make it %s", relay.PrefixEvent.Format(id), status, want)
		}
	}
	w.must(events.Err())
}

// wrongCounts are those of deliveries of replay jobs by status that differ from the
// deliveries.
const wrongCounts = `SELECT count(*) FROM (
	SELECT replay_id, status, sum(n) AS n FROM (
		SELECT replay_id, status, n FROM replay_counts UNION ALL
		SELECT replay_id, status, -1 FROM deliveries WHERE replay_id IS NOT NULL AND status <> 'pending')
	GROUP BY replay_id, status) WHERE n <> 0`

// checkCounts: what is counted is what is there.
func (w *world) checkCounts() {
	const succeeded = 10 // of the statistics' kinds
	attempts := w.number("SELECT count(*) FROM attempts WHERE outcome = 'success'")
	if counted := w.number("SELECT coalesce(sum(n), 0) FROM stats WHERE kind = ?", succeeded); counted != attempts {
		w.broken("%d attempts succeeded, and %d are counted", attempts, counted)
	}
	if wrong := w.number(wrongCounts); wrong > 0 {
		w.broken("%d counts of replay jobs are not what there is", wrong)
	}
	jobs, err := w.sql.Query(`SELECT id, made, (SELECT count(*) FROM deliveries d WHERE d.replay_id = replays.id), total, skipped_delivered + skipped_gone, drained FROM replays`)
	w.must(err)
	defer jobs.Close()
	for jobs.Next() {
		var id relay.ID
		var made, found, total, skipped int
		var drained bool
		w.must(jobs.Scan(&id, &made, &found, &total, &skipped, &drained))
		if made != found {
			w.broken("%s says that it made %d deliveries, and there are %d", relay.PrefixReplay.Format(id), made, found)
		}
		if drained && made+skipped != total {
			w.broken("%s has handled everything: %d made and %d skipped of %d", relay.PrefixReplay.Format(id), made, skipped, total)
		}
	}
	w.must(jobs.Err())
}

// checkInFlight: no two processes that live send one attempt, and no endpoint gets
// more at a time than it takes.
func (w *world) checkInFlight() {
	w.receivers.mu.Lock()
	defer w.receivers.mu.Unlock()
	type key struct {
		delivery string
		attempt  int
	}
	sending := map[key]*process{}
	at := map[relay.ID]int{}
	for _, a := range w.receivers.arrivals {
		if !a.end.IsZero() {
			continue
		}
		at[a.endpoint]++
		k := key{a.delivery, a.attempt}
		if first := sending[k]; first != nil && !w.retried[a.delivery] && !w.troubled(first, a.at.Add(-leaseTime), time.Now()) {
			w.broken("attempt %d of %s is under way twice: at %s and at %s", a.attempt, a.delivery, first.name, a.process.name)
		}
		sending[k] = a.process
	}
	for _, t := range w.targets {
		if t.MaxInFlight > 0 && at[t.ID] > t.MaxInFlight && !w.troubled(nil, time.Now().Add(-leaseTime), time.Now()) {
			w.broken("%s gets %d requests at a time", t.Name, at[t.ID])
		}
	}
}

// noticed is how long it takes until every process knows that an endpoint is paused.
const noticed = 3 * time.Second

// checkWanted: what somebody discarded, and what is for a paused endpoint, is not
// sent any more.
func (w *world) checkWanted(a *arrival) {
	w.mu.Lock()
	discarded, d := w.stopped[a.delivery]
	paused, e := w.stopped[relay.PrefixEndpoint.Format(a.endpoint)]
	w.mu.Unlock()
	switch {
	case d && a.at.Sub(discarded) > time.Second:
		w.broken("%s was discarded at %s and is sent by %s", a.delivery, discarded.Sub(w.began), a.process.name)
	case e && a.at.Sub(paused) > noticed && !w.troubled(nil, paused, a.at):
		w.broken("%s was paused at %s and %s sends %s to it", w.target(a.endpoint).Name, paused.Sub(w.began), a.process.name, a.delivery)
	}
}

// leaseTime is for how long trouble can have an effect: until leases have lapsed.
const leaseTime = 80 * time.Second

// troubled reports whether something failed for a process, or for any if there is
// none, between two times.
func (w *world) troubled(p *process, from, to time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.troubles {
		if (p == nil || t.process == nil || t.process == p) && t.from.Before(to) && t.to.After(from) {
			return true
		}
	}
	return false
}

// open is how much has not come to its end.
func (w *world) open() int {
	return w.number("SELECT count(*) FROM deliveries WHERE status IN ('pending', 'retrying')") +
		w.number("SELECT count(*) FROM replays WHERE status IN ('planning', 'planned', 'running', 'paused') OR settling")
}

// checkEnd: everything has come to its end, arrived as it says, and once where
// nothing failed; nothing is left in the queues.
func (w *world) checkEnd() {
	arrived := map[string][]*arrival{}
	for _, a := range w.receivers.arrivals {
		arrived[a.delivery] = append(arrived[a.delivery], a)
	}
	for _, r := range w.rows() {
		id := relay.PrefixDelivery.Format(r.ID)
		if r.Status == relay.DeliveryDelivered && len(arrived[id]) == 0 {
			w.broken("%s is delivered and never arrived", id)
		}
		if !w.retried[id] {
			w.checkRepeats(id, arrived[id])
		}
	}
	w.checkRate()
	for _, p := range w.processes {
		if p.engine == nil {
			continue
		}
		jobs, err := p.store.Replays(context.Background(), w.project, db.ReplayFilter{}, db.Page{Limit: 100})
		w.must(err)
		for _, j := range jobs.Rows {
			if g := j.Progress; g.Processed != g.Total || g.Succeeded+g.Failed+g.Discarded+g.Skipped != g.Processed {
				if j.Status != relay.ReplayCancelled {
					w.broken("%s is %s with %+v", relay.PrefixReplay.Format(j.ID), j.Status, g)
				}
			}
		}
	}
	w.checkQueues()
}

// checkRepeats: an attempt is made again only where its process, or what it
// needs, failed.
func (w *world) checkRepeats(id string, arrivals []*arrival) {
	for i, a := range arrivals {
		for _, earlier := range arrivals[:i] {
			if earlier.attempt == a.attempt && !w.troubled(earlier.process, earlier.at.Add(-time.Second), a.at) {
				w.broken("attempt %d of %s was made at %s by %s and, though nothing had failed, at %s by %s", a.attempt, id,
					earlier.at.Sub(w.began), earlier.process.name, a.at.Sub(w.began), a.process.name)
			}
		}
	}
}

// checkRate: the endpoint with a rate never got more in any second, but for what
// was slow on its way.
func (w *world) checkRate() {
	var times []*arrival
	for _, a := range w.receivers.arrivals {
		if t := w.target(a.endpoint); t.RateLimit > 0 {
			times = append(times, a)
		}
	}
	for i := rated; i < len(times); i++ {
		if first, last := times[i-rated], times[i]; last.at.Sub(first.at) < time.Second/2 && !w.troubled(nil, first.at.Add(-leaseTime), last.at) {
			w.broken("%d requests within %s to the endpoint that takes %d a second", rated+1, last.at.Sub(first.at), rated)
		}
	}
}

// checkQueues: no task is left. Those of what is looked for every second come and go.
func (w *world) checkQueues() {
	if n := w.broker.left(); n > 2*len(w.processes) {
		w.broken("%d tasks are left in the queues", n)
	}
}
