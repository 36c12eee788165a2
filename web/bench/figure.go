package main

import "fmt"

// figure is a measurement as a multiple of another from the same minutes, with the
// bare pipeline's and the machine, so that it can be quoted alone: as a share of the
// pipeline, machines can be compared, and a busy one with a quiet one.
type figure struct {
	Name    string    `json:"figure"`
	Storage string    `json:"storage"`
	Unit    string    `json:"unit"`   // of the values
	Ratio   float64   `json:"ratio"`  // of the one to the other: the median over the turns
	Ratios  []float64 `json:"ratios"` // of each turn
	Of      value     `json:"of"`
	To      value     `json:"to"`
	Bare    value     `json:"bare"`
	Machine machine   `json:"machine"`
}

// value is the median over the turns of one side.
type value struct {
	Side  string  `json:"side"`
	Value float64 `json:"value"`
}

// kind is what a figure compares.
type kind struct {
	part, name, unit string
	of, to           string
	value            func(sample) float64
}

func delivered(s sample) float64 { return s.PerSecond }
func p50(s sample) float64       { return s.Latency.P50 }
func p99(s sample) float64       { return s.Latency.P99 }

// saturationKinds and pacedKinds are the figures that samples at saturation and at
// a steady rate can give.
var (
	saturationKinds = []kind{
		{"share", "share of the bare pipeline at saturation", "delivered/s", singleSide, bareSide, delivered},
		{"share", "share of a bare pipeline through asynq at saturation", "delivered/s", singleSide, asynqSide, delivered},
		{"share", "p99 at saturation", "ms", singleSide, bareSide, p99},
		{"fanout", "fan-out to five", "delivered/s", fanOutSide, singleSide, delivered},
		{"split", "web and two workers", "delivered/s", halvesSide, singleSide, delivered},
	}
	pacedKinds = []kind{
		{"share", "p50 at a steady rate", "ms", singleSide, bareSide, p50},
		{"share", "p99 at a steady rate", "ms", singleSide, bareSide, p99},
	}
)

// figuresOf are those of the kinds whose sides are among the samples.
func figuresOf(samples []sample, kinds []kind) []figure {
	sides := map[string][]sample{}
	for _, s := range samples {
		sides[s.Side] = append(sides[s.Side], s)
	}
	var all []figure
	for _, k := range kinds {
		if len(sides[k.of]) == 0 || len(sides[k.to]) == 0 {
			continue
		}
		f := figure{
			Name: k.name, Unit: k.unit,
			Of: value{k.of, medianOf(sides[k.of], k.value)}, To: value{k.to, medianOf(sides[k.to], k.value)},
			Bare: value{bareSide, medianOf(sides[bareSide], k.value)},
		}
		for i, of := range sides[k.of] {
			f.Ratios = append(f.Ratios, round(k.value(of)/k.value(sides[k.to][i]), 3))
		}
		f.Ratio = round(medianOf(f.Ratios, func(r float64) float64 { return r }), 3)
		all = append(all, f)
	}
	return all
}

// medianOf leaves the order of all as it is.
func medianOf[T any](all []T, value func(T) float64) float64 {
	var values []float64
	for _, one := range all {
		values = append(values, value(one))
	}
	return round(median(values), 3)
}

func (f figure) String() string {
	s := fmt.Sprintf("%-52s %.3f  (%s %.6g, %s %.6g", f.Name, f.Ratio, f.Of.Side, f.Of.Value, f.To.Side, f.To.Value)
	if f.To.Side != f.Bare.Side {
		s += fmt.Sprintf(", %s %.6g", f.Bare.Side, f.Bare.Value)
	}
	return s + " " + f.Unit + ")"
}
