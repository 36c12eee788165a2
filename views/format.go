package views

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/reprise-dev/reprise/relay"
)

const none = "–"

// ago writes a time as people say it, seen from now. app.js does the same.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return none
	}
	d := now.Sub(t)
	format := "%s ago"
	if d < 0 {
		d, format = -d, "in %s"
	}
	switch {
	case d < time.Second && t.After(now):
		return "now"
	case d < 2*time.Second && format == "%s ago":
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf(format, strconv.Itoa(int(d/time.Second))+" s")
	case d < time.Hour:
		return fmt.Sprintf(format, strconv.Itoa(int(d/time.Minute))+" min")
	case d < 24*time.Hour:
		return fmt.Sprintf(format, strconv.Itoa(int(d/time.Hour))+" h")
	case d < 14*24*time.Hour:
		return fmt.Sprintf(format, strconv.Itoa(int(d/(24*time.Hour)))+" d")
	case t.Year() == now.Year():
		return t.UTC().Format("2 Jan")
	}
	return t.UTC().Format("2 Jan 2006")
}

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func exact(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 UTC")
}

func minute(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format("2 Jan 15:04:05")
}

// span writes a duration with its unit: 23 ms, 1.4 s, 2 min 5 s, 3 h 20 min.
func span(d time.Duration) string {
	two := func(a time.Duration, au string, b time.Duration, bu string) string {
		if b == 0 {
			return fmt.Sprintf("%d %s", a, au)
		}
		return fmt.Sprintf("%d %s %d %s", a, au, b, bu)
	}
	switch {
	case d <= 0:
		return none
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return trimZero(fmt.Sprintf("%.1f", d.Seconds())) + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return two(d/time.Minute, "min", d%time.Minute/time.Second, "s")
	case d < 24*time.Hour:
		return two(d/time.Hour, "h", d%time.Hour/time.Minute, "min")
	}
	return two(d/(24*time.Hour), "d", d%(24*time.Hour)/time.Hour, "h")
}

func trimZero(s string) string { return strings.TrimSuffix(s, ".0") }

// size writes a number of bytes: 812 B, 3.1 kB, 2 MB.
func size(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 999_950:
		return trimZero(fmt.Sprintf("%.1f", float64(n)/1e3)) + " kB"
	}
	return trimZero(fmt.Sprintf("%.1f", float64(n)/1e6)) + " MB"
}

// count writes a number with its thousands apart.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func countCapped(n int, capped bool) string {
	if capped {
		return count(n) + "+"
	}
	return count(n)
}

// tallied is where a number that is shown on every page stops.
const tallied = 9_999

// tally is such a number: 2,000 or 9,999+.
func tally(n int) string { return countCapped(min(n, tallied), n > tallied) }

// plural writes a count with its noun: 1 event, 2 events, 2 deliveries.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok && !strings.HasSuffix(stem, "a") {
		return count(n) + " " + stem + "ies"
	}
	return count(n) + " " + noun + "s"
}

// percent never rounds up to 100 nor down to 0: one failure in a million shows.
func percent(part, of int) string {
	if of <= 0 {
		return none
	}
	p := float64(part) / float64(of) * 100
	switch {
	case part == of:
		return "100 %"
	case p > 99.9:
		return "99.9 %"
	case part > 0 && p < 0.1:
		return "0.1 %"
	}
	return trimZero(fmt.Sprintf("%.1f", math.Floor(p*10)/10)) + " %"
}

// shortID keeps the prefix and both ends of an id; ids of one hour differ only
// at the end.
func shortID(id string) string {
	i := strings.IndexByte(id, '_') + 1
	if len(id)-i < 20 {
		return id
	}
	return id[:i+4] + "…" + id[len(id)-6:]
}

// shortText cuts a text in its middle to at most n characters.
func shortText(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	tail := n / 3
	return string(r[:n-tail-1]) + "…" + string(r[len(r)-tail:])
}

// httpStatus writes an answer's status with its name.
func httpStatus(code int) string {
	if name := http.StatusText(code); name != "" {
		return fmt.Sprintf("%d %s", code, name)
	}
	return strconv.Itoa(code)
}

// visible makes text of any bytes that cannot disguise itself: control and
// direction characters become something to see, tabs and line ends stay.
func visible(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return '␍'
		case r < 0x20:
			return 0x2400 + r
		case r == 0x7f:
			return '␡'
		case unicode.Is(unicode.Bidi_Control, r) || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029':
			return '\uFFFD'
		}
		return r
	}, s)
}

// line is visible text that stays on one line.
func line(s string) string { return strings.NewReplacer("\n", "␊", "\t", "␉").Replace(visible(s)) }

func refName(name string, id relay.ID) string {
	if id.IsZero() {
		return "deleted"
	}
	return line(name)
}
