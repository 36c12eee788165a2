package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// report is what is printed on standard output.
type report struct {
	Version string `json:"version"` // of the binary
	machine
	At      string   `json:"at"`
	Results []result `json:"results"`
}

// result is one round of measurements.
type result struct {
	Storage     string             `json:"storage"` // embedded or postgres
	Throughput  throughput         `json:"throughput,omitzero"`
	Paced       outcome            `json:"paced,omitzero"`
	IdlePercent map[string]float64 `json:"idle_percent,omitempty"` // of one core
	Against     *against           `json:"against_bare_pipeline,omitempty"`
	Replay      *replayed          `json:"replay,omitempty"`
	Noisy       []noisy            `json:"noisy_neighbour,omitempty"`
}

// outcome is what became of a load.
type outcome struct {
	Accepted int            `json:"accepted"`
	Refused  map[string]int `json:"refused,omitempty"`
	Lost     int            `json:"lost"`     // accepted and not delivered
	Repeated int            `json:"repeated"` // delivered more than once
	Altered  int            `json:"altered"`  // delivered with other bytes
	Ack      latency        `json:"ack_ms"`
	Latency  latency        `json:"latency_ms"` // from sending to arrival
}

type throughput struct {
	outcome
	AcceptedPerSecond  float64            `json:"accepted_per_second"`
	DeliveredPerSecond float64            `json:"delivered_per_second"` // from the first post to the last arrival
	CPUSeconds         map[string]float64 `json:"cpu_seconds"`
	PeakMegabytes      float64            `json:"server_peak_rss_mb"`
}

type noisy struct {
	Endpoint string `json:"dead_endpoint"`
	Due      int    `json:"due"`
	outcome
}

func outcomeOf(sent loadResult, got receiverStats) outcome {
	return outcome{
		Accepted: sent.Accepted, Refused: sent.Refused, Lost: max(sent.Accepted-got.Arrived, 0),
		Repeated: got.Repeated, Altered: got.Altered, Ack: latencyOf(sent.Acks), Latency: got.Latency,
	}
}

func difference(before, after map[string]float64) map[string]float64 {
	d := map[string]float64{}
	for name := range after {
		d[name] = round(after[name]-before[name], 2)
	}
	return d
}

// summary writes a result for people.
func (r result) summary(w io.Writer, m machine) {
	fmt.Fprintf(w, "\n%s, %s\n", r.Storage, m)
	if t := r.Throughput; t.Accepted > 0 {
		fmt.Fprintf(w, "  throughput  %.0f accepted/s, %.0f delivered/s, %s\n", t.AcceptedPerSecond, t.DeliveredPerSecond, t.outcome)
		fmt.Fprintf(w, "  CPU         %s; server's peak memory %.0f MB\n", list(t.CPUSeconds, "s"), t.PeakMegabytes)
	}
	if r.Paced.Accepted > 0 {
		fmt.Fprintf(w, "  paced       %s\n", r.Paced)
	}
	if len(r.IdlePercent) > 0 {
		fmt.Fprintf(w, "  idle        %s of a core\n", list(r.IdlePercent, "%"))
	}
	if a := r.Against; a != nil {
		fmt.Fprintf(w, "  against     a bare pipeline in the same minutes; others used %.1f %% of the machine, its host %.1f %%\n", a.OtherPercent, a.StolenPercent)
		for _, f := range a.Figures {
			fmt.Fprintf(w, "              %s\n", f)
		}
	}
	if p := r.Replay; p != nil {
		fmt.Fprintf(w, "  replay      %d events at %.0f/s, %d too often, memory %.0f to %.0f MB; live %s\n",
			p.Events, p.PerSecond, p.Repeated, p.MegabytesIn, p.MegabytesOut, p.Live)
		fmt.Fprintf(w, "              while it is paused %s; beside it %s times that by turns (median of %d), %s over all\n", p.Alone, p.Ratio, len(p.Turns), p.Pooled)
	}
	for _, n := range r.Noisy {
		fmt.Fprintf(w, "  beside %d due to an endpoint that %s: %s\n", n.Due, n.Endpoint, n.outcome)
	}
}

func (o outcome) String() string {
	s := fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, lost %d, repeated %d", o.Latency.P50, o.Latency.P99, o.Lost, o.Repeated)
	if o.Altered > 0 {
		s += fmt.Sprintf(", altered %d", o.Altered)
	}
	if len(o.Refused) > 0 {
		s += fmt.Sprintf(", refused %v", o.Refused)
	}
	return s
}

func (r ratio) String() string {
	return fmt.Sprintf("p50 %.2f, p90 %.2f, p99 %.2f", r.P50, r.P90, r.P99)
}

func list(values map[string]float64, unit string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, fmt.Sprintf("%s %.2f %s", name, values[name], unit))
	}
	return strings.Join(parts, ", ")
}
