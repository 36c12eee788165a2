package relay

import (
	"encoding/binary"
	"time"
)

// Window is the log of a sliding window: when each of the newest acts under a
// rate was, in microseconds, oldest first. Of the acts that it grants there are
// never more than the rate says in any stretch of its length. (The algorithm is
// known as the sliding window log.)
type Window []int64

// windowLog bounds the log: a higher rate is held in proportionally shorter
// stretches, which is stricter.
const windowLog = 500

// Grant grants up to want acts at now, at a rate of so many per time, and tells
// after how long there is room for more: zero if all were granted.
func (w Window) Grant(now time.Time, rate int, per time.Duration, want int) (granted int, wait time.Duration) {
	rate, per = shorten(rate, per)
	now = now.Truncate(time.Microsecond)
	w = w.since(now.Add(-per))
	granted = max(min(rate-len(w), want), 0)
	if granted < want {
		// The oldest in the way is the first, or one of those granted now.
		wait = per
		if i := len(w) + granted - rate; i < len(w) && i >= 0 {
			wait = max(time.UnixMicro(w[i]).Add(per).Sub(now), time.Microsecond)
		}
	}
	return granted, wait
}

// With is the log after n acts at now.
func (w Window) With(now time.Time, rate int, per time.Duration, n int) Window {
	_, per = shorten(rate, per)
	w = w.since(now.Truncate(time.Microsecond).Add(-per))
	for range n {
		w = append(w, now.UnixMicro())
	}
	return w
}

func shorten(rate int, per time.Duration) (int, time.Duration) {
	for rate > windowLog {
		rate, per = rate/2, per/2
	}
	return rate, per
}

func (w Window) since(at time.Time) Window {
	for len(w) > 0 && w[0] <= at.UnixMicro() {
		w = w[1:]
	}
	return w
}

// Bytes is the log as it is stored.
func (w Window) Bytes() []byte {
	b := make([]byte, 0, 8*len(w))
	for _, at := range w {
		b = binary.BigEndian.AppendUint64(b, uint64(at))
	}
	return b
}

// WindowOf reads what Bytes wrote.
func WindowOf(b []byte) Window {
	w := make(Window, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		w = append(w, int64(binary.BigEndian.Uint64(b)))
	}
	return w
}
