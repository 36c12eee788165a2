package db

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/db/internal/upkeep"
	"github.com/reprise-dev/reprise/relay"
)

// TestHeadersOfBeforeAreSealed leaves payloads as an earlier version stored
// them. They can be read at once, and in a while nothing plain is left.
func TestHeadersOfBeforeAreSealed(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const secret = "token-canary7f3a91"
		var ids []relay.ID
		for i := range 2*upkeep.SealBatch + 1 {
			in := w.reception()
			in.Payload.Headers = relay.Headers{{Name: "X-Token", Value: fmt.Sprint(secret, i)}}
			_, err := w.Receive(t.Context(), in)
			check(t, err)
			ids = append(ids, in.Event.ID)
			if i%2 == 0 {
				_, err := w.W.ExecContext(t.Context(), "UPDATE payloads SET headers = ? WHERE event_id = ?", relay.EncodeHeaders(in.Payload.Headers), in.Event.ID)
				check(t, err)
			}
		}
		all := func() {
			t.Helper()
			for i, id := range ids {
				p, err := w.Payload(t.Context(), id)
				check(t, err)
				equal(t, "the header", p.Headers.Get("X-Token"), fmt.Sprint(secret, i))
			}
		}
		all()
		batches := 1
		for more := true; more; batches++ {
			var err error
			more, err = w.SealHeaders(t.Context())
			check(t, err)
			all()
		}
		equal(t, "batches", batches > 3, true)
		var plain int
		check(t, w.R.NewSelect().TableExpr("payloads").ColumnExpr("count(*)").Where("substr(headers, 1, 1) <> ?", []byte{sqldb.SealedMark}).Scan(t.Context(), &plain))
		equal(t, "plain ones", plain, 0)
		if w.PG {
			return
		}
		for _, suffix := range []string{"", "-wal"} {
			file, err := os.ReadFile(strings.TrimPrefix(w.url, "sqlite://") + suffix)
			check(t, err)
			// What moved between pages long ago can lie there until they are used again.
			if n := bytes.Count(file, []byte(secret)); n > 20 {
				t.Errorf("the file%s still holds %d that were plain", suffix, n)
			}
		}
	})
}
