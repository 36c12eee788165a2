package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// machine is what a figure was measured on. It means little without.
type machine struct {
	CPU       string  `json:"cpu"`
	Cores     int     `json:"cores"` // shared by the server, the load client and the receiver
	Kernel    string  `json:"kernel"`
	Go        string  `json:"go"`
	MemoryGiB float64 `json:"memory_gib"`
}

// thisMachine reads what /proc tells of this one.
func thisMachine() machine {
	m := machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}
	if model := procLine("/proc/cpuinfo", "model name"); model != "" {
		m.CPU = model
	}
	kilobytes, _ := strconv.ParseFloat(strings.TrimSuffix(procLine("/proc/meminfo", "MemTotal"), " kB"), 64)
	m.MemoryGiB = round(kilobytes/(1<<20), 1)
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.Kernel = strings.TrimSpace(string(release))
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %.1f GiB, Linux %s, %s", m.CPU, m.Cores, m.MemoryGiB, m.Kernel, m.Go)
}

// procLine is the value of the first line of a file that has the name.
func procLine(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// busyTicks are the CPU time that all processes of the machine have used, and
// what its host took.
func busyTicks() (busy, stolen int64, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(first) // cpu user nice system idle iowait irq softirq steal …
	if len(fields) < 9 {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q", first)
	}
	var ticks [9]int64
	for i := 1; i < len(ticks); i++ {
		if ticks[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return 0, 0, err
		}
	}
	return ticks[1] + ticks[2] + ticks[3], ticks[8], nil
}

// bystanders are the CPU time of everything on this machine that is none of this
// process and what it started.
type bystanders struct{ other, stolen int64 }

func readBystanders() (bystanders, error) {
	stats, err := readStats()
	if err != nil {
		return bystanders{}, err
	}
	busy, stolen, err := busyTicks()
	return bystanders{other: busy - treeTicks(stats, os.Getpid()), stolen: stolen}, err
}

// share is what bystanders and the host took of the machine since before, in percent.
func (b bystanders) share(before bystanders, seconds float64) (other, stolen float64) {
	all := seconds * ticksPerSecond * float64(runtime.NumCPU()) / 100
	return round(max(float64(b.other-before.other)/all, 0), 1), round(float64(b.stolen-before.stolen)/all, 1)
}
