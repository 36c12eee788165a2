package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of CPU time in /proc: 100 on every Linux that Go
// runs on.
const ticksPerSecond = 100

// processes are what is measured, by name, with their process ids.
type processes map[string]int

// cpuSeconds is the CPU time, user and system, that each has used with its
// children.
func (p processes) cpuSeconds() (map[string]float64, error) {
	stats, err := readStats()
	if err != nil {
		return nil, err
	}
	used := map[string]float64{}
	for name, pid := range p {
		if _, ok := stats[pid]; !ok {
			return nil, fmt.Errorf("%s (process %d) has ended", name, pid)
		}
		used[name] = float64(treeTicks(stats, pid)) / ticksPerSecond
	}
	return used, nil
}

// megabytes is the memory of one process: what it has resident (VmRSS), or
// the most that it ever had (VmHWM).
func megabytes(pid int, what string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, what+":"); ok {
			kilobytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return round(kilobytes/1024, 1), err
		}
	}
	return 0, fmt.Errorf("process %d tells no %s", pid, what)
}

// procStat is a line of /proc/PID/stat, as far as it matters.
type procStat struct {
	parent int
	ticks  int64 // its own and those of its children that ended
}

func readStats() (map[int]procStat, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("/proc tells of no processes; the measurements need Linux (%w)", err)
	}
	stats := map[int]procStat{}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		// The name in parentheses may hold anything; what follows has fixed places.
		fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
		s := procStat{}
		s.parent, _ = strconv.Atoi(string(fields[1]))
		for _, field := range fields[11:15] {
			ticks, _ := strconv.ParseInt(string(field), 10, 64)
			s.ticks += ticks
		}
		stats[pid] = s
	}
	return stats, nil
}

func treeTicks(stats map[int]procStat, pid int) int64 {
	ticks := stats[pid].ticks
	for child, s := range stats {
		if s.parent == pid {
			ticks += treeTicks(stats, child)
		}
	}
	return ticks
}
