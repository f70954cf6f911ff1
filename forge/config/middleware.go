package config

import (
	"encoding/json"
	"time"
)

// The types of middleware.
const (
	MiddlewareLogging        = "logging"
	MiddlewareValidation     = "validation"
	MiddlewareTransform      = "transform"
	MiddlewareRecovery       = "recovery"
	MiddlewareMetrics        = "metrics"
	MiddlewareTimeout        = "timeout"
	MiddlewareRetry          = "retry"
	MiddlewareRateLimit      = "ratelimit"
	MiddlewareCache          = "cache"
	MiddlewareCircuitBreaker = "circuit_breaker"
	MiddlewareBulkhead       = "bulkhead"
	MiddlewareFallback       = "fallback"
)

// Middleware is one entry of a middleware list. The field that Type names is not
// nil; of timeout it is above 0; metrics has none.
type Middleware struct {
	Place
	Type           string // one of the constants named Middleware…
	Logging        *Logging
	Validation     *Validation
	Transform      *Transform
	Recovery       *FaultTolerance
	Timeout        time.Duration
	Retry          *Retry
	RateLimit      *RateLimit
	Cache          *Cache
	CircuitBreaker *CircuitBreaker
	Bulkhead       *Bulkhead
	Fallback       *Fallback
}

// Logging writes a line for each call.
type Logging struct {
	Tag             string // stands in each line; empty: none
	Level           string // debug, info (the default), warn or error
	IncludeRequest  bool   // the arguments too
	IncludeResponse bool   // the answer too
	Redact          []string
}

// Validation refuses calls beyond what the tool's own parameters ask for.
type Validation struct {
	RequiredFields []string
	Schema         json.RawMessage `json:",omitempty"` // a JSON Schema of the arguments; empty: none
	Output         bool            // structured answers are held against the tool's OutputSchema
}

// Transform changes arguments and answers that are JSON objects.
type Transform struct {
	Request, Response *Change // nil: none
}

// Change is made to an object: Remove first, then Set.
type Change struct {
	Place
	Remove []string
	Set    map[string]json.RawMessage // values as they are: no templates
}

// The classes of errors, which Retry chooses from.
var errorClasses = []string{"invalid_input", "denied", "timeout", "unavailable", "failed", "canceled", "internal"}

// Retry tries again. Its defaults are three attempts, 100 ms doubling up to 30 s,
// with jitter, after timeout and unavailable.
type Retry struct {
	Place
	MaxAttempts int // the first one counted
	Initial     time.Duration
	Max         time.Duration
	Multiplier  float64
	Jitter      bool
	On          []string // classes of errors
}

// RateLimit bounds how often a tool is called.
type RateLimit struct {
	Requests int           // in Per
	Per      time.Duration // a second by default
	Burst    int           // at once; Requests by default
	// By says who shares the limit: client (the default), tool or server.
	By string
}

// Cache keeps answers.
type Cache struct {
	Place
	TTL        time.Duration // a minute by default
	EntriesMax int           // 1000 by default; the least recently used goes first
	BytesMax   uint64        // of all answers; 16 MiB by default
}

// CircuitBreaker refuses calls of what fails. It is closed until FailuresMax calls
// in a row have failed, then open for OpenTime, then half open: ProbesMax calls at
// once may try, and Successes of them close it.
type CircuitBreaker struct {
	Place
	Disabled    bool
	FailuresMax int           // failure_threshold; 5 by default
	OpenTime    time.Duration // timeout; a minute by default
	Successes   int           // success_threshold; 2 by default
	ProbesMax   int           // half_open_max; 1 by default
}

// Bulkhead bounds how many calls run at once.
type Bulkhead struct {
	Place
	ConcurrencyMax int           // 10 by default
	QueueMax       int           // how many wait; 0: none
	QueueTime      time.Duration // how long one waits; a second by default
}

// Fallback answers in place of a tool that failed: the first of its alternatives
// that succeeds.
type Fallback struct {
	Alternatives []Alternative
	On           []string // classes of errors; all but invalid_input, denied and canceled by default
}

// Alternative is a tool, which gets the same arguments, or a value: one of them is
// set.
type Alternative struct {
	Place
	Tool  string          // may be a hidden one
	Value json.RawMessage `json:",omitempty"`
}

// FaultTolerance is the block fault_tolerance, or middleware of type recovery. Each
// part is nil where the file does not write it.
type FaultTolerance struct {
	Place
	CircuitBreaker *CircuitBreaker // one for each tool
	Retry          *Retry
	ErrorTracking  *ErrorTracking
}

// ErrorTracking keeps the last errors; see forge.Project.State.
type ErrorTracking struct {
	Disabled  bool
	ErrorsMax int // max_errors; 1000 by default
}
