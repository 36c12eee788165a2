package views

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A chart is drawn on a field of this size; the page stretches it.
const (
	chartWidth  = 1000
	chartHeight = 132
)

// chart is a drawing of buckets, with the table that says the same.
type chart struct {
	ID      string
	Title   string
	Summary string // for those who cannot see it
	Series  []series
	Buckets []Bucket
	Format  func(int) string // of a value
	Lines   bool             // else stacked columns
}

// series is one quantity of a chart.
type series struct {
	Word  string
	Class string
	Value func(Totals) int
}

func eventsChart(m OverviewModel) chart {
	return chart{
		ID: "events", Title: "Events in", Buckets: m.Buckets, Format: count,
		Summary: plural(m.Current.Events, "event") + ", " + count(m.Current.Rejected) + " rejected",
		Series: []series{
			{"accepted", "c-accent", func(t Totals) int { return t.Events - t.Rejected }},
			{"rejected", "c-bad", func(t Totals) int { return t.Rejected }},
		},
	}
}

func deliveriesChart(m OverviewModel) chart {
	return chart{
		ID: "deliveries", Title: "Deliveries out", Buckets: m.Buckets, Format: count,
		Summary: count(m.Current.Delivered) + " delivered, " + plural(m.Current.Failed, "dead letter"),
		Series: []series{
			{"delivered", "c-good", func(t Totals) int { return t.Delivered }},
			{"dead letters", "c-bad", func(t Totals) int { return t.Failed }},
		},
	}
}

func latencyChart(m OverviewModel) chart {
	return chart{
		ID: "latency", Title: "Latency of attempts", Buckets: m.Buckets, Lines: true,
		Summary: "p50 " + span(m.Current.P50) + ", p95 " + span(m.Current.P95),
		Format:  func(v int) string { return span(time.Duration(v) * time.Microsecond) },
		Series: []series{
			{"p95", "l-accent", func(t Totals) int { return int(t.P95.Microseconds()) }},
			{"p50", "l-muted", func(t Totals) int { return int(t.P50.Microseconds()) }},
		},
	}
}

// most is the top of the scale: the highest column or point, never zero.
func (c chart) most() int {
	most := 0
	for _, b := range c.Buckets {
		sum := 0
		for _, s := range c.Series {
			if v := s.Value(b.Totals); c.Lines {
				sum = max(sum, v)
			} else {
				sum += v
			}
		}
		most = max(most, sum)
	}
	return max(most, 1)
}

func (c chart) empty() bool {
	for _, b := range c.Buckets {
		for _, s := range c.Series {
			if s.Value(b.Totals) > 0 {
				return false
			}
		}
	}
	return true
}

// rect is a part of a column.
type rect struct {
	Class      string
	X, Y, W, H string
}

// column is everything that is drawn for one bucket.
type column struct {
	Tip   string
	X, W  string // of the whole slot
	Parts []rect
}

func (c chart) columns() []column {
	n := len(c.Buckets)
	if n == 0 {
		return nil
	}
	most, slot := c.most(), float64(chartWidth)/float64(n)
	columns := make([]column, n)
	for i, b := range c.Buckets {
		x := float64(i) * slot
		col := column{Tip: c.tip(b), X: decimal(x), W: decimal(slot)}
		y := float64(chartHeight)
		for _, s := range c.Series {
			v := s.Value(b.Totals)
			if v <= 0 || c.Lines {
				continue
			}
			h := max(float64(v)/float64(most)*(chartHeight-4), 2)
			y -= h
			col.Parts = append(col.Parts, rect{s.Class, decimal(x + slot*0.14), decimal(y), decimal(slot * 0.72), decimal(h)})
		}
		columns[i] = col
	}
	return columns
}

// path is the line of one series; buckets without a value leave a gap.
func (c chart) path(s series) string {
	n := len(c.Buckets)
	most, slot := c.most(), float64(chartWidth)/float64(max(n, 1))
	var b strings.Builder
	down := false
	for i, bucket := range c.Buckets {
		v := s.Value(bucket.Totals)
		if v <= 0 {
			down = false
			continue
		}
		x, y := decimal((float64(i)+0.5)*slot), decimal(chartHeight-float64(v)/float64(most)*(chartHeight-6))
		if down {
			b.WriteString("L" + x + " " + y)
		} else {
			b.WriteString("M" + x + " " + y + "h.01")
		}
		down = true
	}
	return b.String()
}

func (c chart) tip(b Bucket) string {
	lines := []string{bucketWord(b)}
	for _, s := range c.Series {
		lines = append(lines, s.Word+"  "+c.Format(s.Value(b.Totals)))
	}
	return strings.Join(lines, "\n")
}

func bucketWord(b Bucket) string {
	from := b.At.UTC()
	switch {
	case b.Width >= 24*time.Hour:
		return from.Format("Mon 2 Jan")
	case b.Width >= time.Hour:
		return from.Format("2 Jan 15:04")
	}
	return from.Format("15:04") + "–" + from.Add(b.Width).Format("15:04")
}

func axisWord(t time.Time, whole time.Duration) string {
	if whole > 48*time.Hour {
		return t.UTC().Format("2 Jan")
	}
	return t.UTC().Format("15:04")
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

// sparkColumns are the columns of a small drawing of counts, 4 units a column.
func sparkColumns(counts []int) []rect {
	most := 1
	for _, n := range counts {
		most = max(most, n)
	}
	var parts []rect
	for i, n := range counts {
		h, class := float64(n)/float64(most)*18, "c-accent"
		if n == 0 {
			h, class = 1, "c-muted"
		}
		h = max(h, 1)
		parts = append(parts, rect{class, strconv.Itoa(i * 4), decimal(20 - h), "3", decimal(h)})
	}
	return parts
}

// healthColumns show for each bucket how many attempts succeeded and failed.
func healthColumns(buckets []Bucket) []rect {
	most := 1
	for _, b := range buckets {
		most = max(most, b.Totals.Attempts)
	}
	var parts []rect
	for i, b := range buckets {
		t := b.Totals
		x := strconv.Itoa(i * 4)
		if t.Attempts == 0 {
			parts = append(parts, rect{"c-muted", x, "19", "3", "1"})
			continue
		}
		whole := max(float64(t.Attempts)/float64(most)*20, 3)
		bad := 0.0
		if t.Failures > 0 {
			bad = max(whole*float64(t.Failures)/float64(t.Attempts), 2)
		}
		if good := whole - bad; good > 0.1 {
			parts = append(parts, rect{"c-good", x, decimal(20 - good), "3", decimal(good)})
		}
		if bad > 0 {
			parts = append(parts, rect{"c-bad", x, decimal(20 - whole), "3", decimal(bad)})
		}
	}
	return parts
}

func healthTitle(t Totals) string {
	return fmt.Sprintf("%s in 24 hours, %s failed", plural(t.Attempts, "attempt"), count(t.Failures))
}
