package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/middleware"
)

// layer is a middleware around a tool.
type layer struct {
	Type    string    `json:"type"`
	From    string    `json:"from"`  // file: it stands around every tool; or tool
	Where   string    `json:"where"` // FILE:LINE
	Numbers []setting `json:"numbers,omitempty"`
}

// setting is a value that a middleware acts by.
type setting struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Default bool   `json:"default,omitempty"` // the file does not say it
}

// timeDefaults bound the calls of tools that have no timeout; see docs/SECURITY.md.
var timeDefaults = map[config.Kind]time.Duration{config.KindHTTP: 30 * time.Second, config.KindCLI: 5 * time.Minute}

func sortText(s []string) { slices.Sort(s) }

// layersOf are the middleware around a tool, the outermost first: those of the file, of
// fault_tolerance, the tool's own, and its timeout.
func layersOf(c *config.Config, t *config.Tool) (all []layer) {
	chain := middleware.Chain(c, t)
	own := len(chain) - len(t.Middleware)
	for i := range chain {
		l := layer{Type: chain[i].Type, From: "file", Where: chain[i].Pos.String(), Numbers: settings(&chain[i])}
		if i >= own {
			l.From = "tool"
		}
		if chain[i].Pos.Line == 0 { // written as a key of the tool
			l.Where = t.At(chain[i].Type).String()
			for n := range l.Numbers {
				l.Numbers[n].Default = l.Numbers[n].Default && l.Numbers[n].Key != chain[i].Type
			}
		}
		all = append(all, l)
	}
	switch {
	case t.Timeout > 0:
		all = append(all, layer{Type: config.MiddlewareTimeout, From: "tool", Where: t.Pos.String(), Numbers: []setting{{Key: "timeout", Value: t.Timeout.String()}}})
	case timeDefaults[t.Kind] > 0 && !slices.ContainsFunc(chain, func(m config.Middleware) bool { return m.Type == config.MiddlewareTimeout }):
		all = append(all, layer{Type: config.MiddlewareTimeout, From: "default", Where: t.Pos.String(), Numbers: []setting{{Key: "timeout", Value: timeDefaults[t.Kind].String(), Default: true}}})
	}
	if t.HTTP != nil && t.HTTP.Retry != nil {
		all = append(all, layer{Type: config.MiddlewareRetry, From: "tool", Where: t.HTTP.Retry.Pos.String(), Numbers: retrySettings("", t.HTTP.Retry, &t.HTTP.Retry.Place)})
	}
	return all
}

// settings are what a middleware acts by.
func settings(m *config.Middleware) []setting {
	at := &m.Place
	switch m.Type {
	case config.MiddlewareLogging:
		l := m.Logging
		return list(at, "", "level", l.Level, "include_request", l.IncludeRequest, "include_response", l.IncludeResponse)
	case config.MiddlewareValidation:
		return list(at, "", "required_fields", l(m.Validation.RequiredFields), "schema", len(m.Validation.Schema) > 0, "output", m.Validation.Output)
	case config.MiddlewareTransform:
		return list(at, "", "request", changed(m.Transform.Request), "response", changed(m.Transform.Response))
	case config.MiddlewareRecovery:
		return recovery(m.Recovery)
	case config.MiddlewareTimeout:
		return list(at, "", "timeout", m.Timeout)
	case config.MiddlewareRetry:
		return retrySettings("", m.Retry, at)
	case config.MiddlewareRateLimit:
		r := m.RateLimit
		return list(at, "", "requests", r.Requests, "per", r.Per, "burst", r.Burst, "by", r.By)
	case config.MiddlewareCache:
		return list(at, "", "ttl", m.Cache.TTL, "max_size", m.Cache.EntriesMax, "max_bytes", m.Cache.BytesMax)
	case config.MiddlewareCircuitBreaker:
		return breakerSettings("", m.CircuitBreaker, at)
	case config.MiddlewareBulkhead:
		b := m.Bulkhead
		return list(at, "", "max_concurrent", b.ConcurrencyMax, "max_queue", b.QueueMax, "queue_timeout", b.QueueTime)
	case config.MiddlewareFallback:
		return list(at, "", "fallback", alternatives(m.Fallback), "on", l(m.Fallback.On))
	}
	return nil
}

// list makes settings of keys and values by turns. One whose key stands in the file is
// not a default.
func list(at *config.Place, prefix string, pairs ...any) (all []setting) {
	for i := 0; i+1 < len(pairs); i += 2 {
		key := pairs[i].(string)
		value := fmt.Sprint(pairs[i+1])
		if value == "" {
			continue
		}
		all = append(all, setting{Key: prefix + key, Value: value, Default: !written(at, key)})
	}
	return all
}

// spellings are further names of keys.
var spellings = map[string][]string{
	"timeout": {"timeout_ms"}, "initial_delay": {"initial"}, "max_delay": {"max"}, "ttl": {"ttl_seconds"}, "fallback": {"fallbacks"},
}

func written(at *config.Place, key string) bool {
	return at.Has(key) || slices.ContainsFunc(spellings[key], at.Has)
}

// l is a list in a setting.
func l(words []string) string { return strings.Join(words, ", ") }

func changed(c *config.Change) string {
	if c == nil {
		return ""
	}
	var set []string
	for name := range c.Set {
		set = append(set, name)
	}
	sortText(set)
	return strings.TrimSpace("remove " + l(c.Remove) + " set " + l(set))
}

func alternatives(f *config.Fallback) string {
	var all []string
	for _, a := range f.Alternatives {
		if a.Tool != "" {
			all = append(all, a.Tool)
		} else {
			all = append(all, "a value")
		}
	}
	return strings.Join(all, ", then ")
}

func retrySettings(prefix string, r *config.Retry, at *config.Place) []setting {
	return list(at, prefix, "max_attempts", r.MaxAttempts, "initial_delay", r.Initial, "max_delay", r.Max, "multiplier", r.Multiplier, "jitter", r.Jitter, "retry_on", l(r.On))
}

func breakerSettings(prefix string, b *config.CircuitBreaker, at *config.Place) []setting {
	return list(at, prefix, "enabled", !b.Disabled, "failure_threshold", b.FailuresMax, "timeout", b.OpenTime, "success_threshold", b.Successes, "half_open_max", b.ProbesMax)
}

func recovery(f *config.FaultTolerance) (all []setting) {
	if f.CircuitBreaker != nil {
		all = append(all, breakerSettings("circuit_breaker.", f.CircuitBreaker, &f.CircuitBreaker.Place)...)
	}
	if f.Retry != nil {
		all = append(all, retrySettings("retry.", f.Retry, &f.Retry.Place)...)
	}
	if f.ErrorTracking != nil {
		all = append(all, setting{Key: "error_tracking.enabled", Value: fmt.Sprint(!f.ErrorTracking.Disabled)}, setting{Key: "error_tracking.max_errors", Value: fmt.Sprint(f.ErrorTracking.ErrorsMax)})
	}
	return all
}
