package main

import (
	"slices"
	"strings"

	"github.com/ingot-run/ingot/bench/report"
)

// What is to be reached. What is against peers is a ratio of one run.
var (
	pipelinedTargets = []struct {
		peer string
		min  float64
	}{{"gosdk-raw", 12}, {"mcpgo", 5}, {"ts-v1", 4}}
	peers = []string{"gosdk-typed", "gosdk-raw", "mcpgo", "ts-v1", "ts-v2"}
)

const (
	p50Min         = 4.0 // each peer's p50 is so many times ours
	modernMin      = 0.9 // of the legacy rate
	largeMin       = 2.0 // against TypeScript 1, 8 KiB
	coldMillisMax  = 5.0
	residentMBsMax = 12.0
)

// targets judges a run. What was not measured is not judged.
func targets(servers []server, results map[string][]sample) []report.Target {
	own := results[ours]
	p50 := func(s sample) float64 { return s.small.p50Micros }
	against := func(peer string, figure func(sample) float64) (float64, bool) {
		return report.MedianRatio(figures(own, figure), figures(results[peer], figure))
	}
	var all []report.Target
	add := func(what string, min float64, v float64, known bool) {
		all = append(all, report.Target{What: what, Bound: min, AtLeast: true, Measured: v, Known: known})
	}
	for _, t := range pipelinedTargets {
		v, known := against(t.peer, func(s sample) float64 { return s.small.pipelinedPerSec })
		add("32 B, 64 in flight, against "+t.peer, t.min, v, known)
	}
	slowest, known := 0.0, false
	for _, peer := range peers {
		if v, ok := report.MedianRatio(figures(results[peer], p50), figures(own, p50)); ok && (!known || v < slowest) {
			slowest, known = v, true
		}
	}
	add("p50 of one call at a time, of each peer against ours", p50Min, slowest, known)
	v, known := report.MedianRatio(
		figures(own, func(s sample) float64 { return s.modern.pipelinedPerSec }),
		figures(own, func(s sample) float64 { return s.small.pipelinedPerSec }))
	add("modern era against legacy era", modernMin, v, known)
	v, known = against("ts-v1", func(s sample) float64 { return s.large.pipelinedPerSec })
	add("8 KiB, 64 in flight, against ts-v1", largeMin, v, known)
	for _, s := range servers {
		if strings.Contains(s.label, "ingot") {
			all = append(all, processTargets(s, results[s.short])...)
		}
	}
	return all
}

// processTargets are those of a server's process.
func processTargets(s server, samples []sample) []report.Target {
	cold := column(samples, func(s sample) float64 { return s.coldMillis })
	most := slices.MaxFunc(append(samples, sample{}), func(a, b sample) int { return a.endCalls - b.endCalls })
	resident := column(samples, func(s sample) float64 { return float64(s.endBytes) / 1e6 })
	return []report.Target{
		{What: s.short + ": cold start, ms", Bound: coldMillisMax, Format: report.Number, Measured: cold, Known: cold > 0},
		{What: s.short + ": MB after " + report.Thousands(float64(most.endCalls)) + " calls", Bound: residentMBsMax, Format: report.Number, Measured: resident, Known: resident > 0},
	}
}
