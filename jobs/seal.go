package jobs

import (
	"context"
	"time"
)

// sealHeaders seals, in the background and once, what an earlier version kept
// plain.
func (e *Engine) sealHeaders(ctx context.Context) {
	const rest = 100 * time.Millisecond // between two batches
	for more := true; more; pause(ctx, rest) {
		var err error
		if more, err = e.Store.SealHeaders(ctx); err != nil {
			if ctx.Err() == nil {
				e.Log.Warn("sealing the headers of events", "error", err)
			}
			return
		}
	}
}
