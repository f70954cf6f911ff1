package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ingot-run/ingot/internal/yamlfile"
)

const middlewareMax = 64

var (
	retryTable    = table[Retry]{name: "retry", what: "retry", doc: "Tries again what failed, after growing pauses."}
	breakerTable  = table[CircuitBreaker]{name: "circuit_breaker", what: "circuit_breaker", doc: "Refuses the calls of a tool that keeps failing, for a while."}
	bulkheadTable = table[Bulkhead]{name: "bulkhead", what: "bulkhead", doc: "Bounds how many calls run at once."}
	cacheTable    = table[Cache]{name: "cache", what: "cache", doc: "Keeps answers."}
	trackingTable = table[ErrorTracking]{name: "error_tracking", what: "error_tracking", doc: "Keeps the last errors of each tool: their times and classes are shown at /status, their texts to programs that ask (forge.Project.State)."}
	faultTable    = table[FaultTolerance]{name: "fault_tolerance", what: "fault_tolerance", doc: "What each tool has around it so that faults do not spread."}
	changeTable   = table[Change]{name: "change", what: "a change", doc: "A change to a JSON object: remove first, then set."}
	optionTable   = table[Alternative]{name: "alternative", what: "a fallback", doc: "What answers in place of a tool that failed: another tool, or a value. A tool may be written in place, with its type and without a name."}

	middlewareTables = map[string]*table[Middleware]{}
	middlewareTypes  = []string{
		MiddlewareLogging, MiddlewareValidation, MiddlewareTransform, MiddlewareRecovery, MiddlewareMetrics, MiddlewareTimeout,
		MiddlewareRetry, MiddlewareRateLimit, MiddlewareCache, MiddlewareCircuitBreaker, MiddlewareBulkhead, MiddlewareFallback,
	}
)

// The defaults, of pforge's documents where they give them.
var (
	retryDefaults    = Retry{MaxAttempts: 3, Initial: 100 * time.Millisecond, Max: 30 * time.Second, Multiplier: 2, Jitter: true, On: []string{"timeout", "unavailable"}}
	breakerDefaults  = CircuitBreaker{FailuresMax: 5, OpenTime: time.Minute, Successes: 2, ProbesMax: 1}
	bulkheadDefaults = Bulkhead{ConcurrencyMax: 10, QueueTime: time.Second}
	cacheDefaults    = Cache{TTL: time.Minute, EntriesMax: 1000, BytesMax: 16 << 20}
	trackingDefaults = ErrorTracking{ErrorsMax: 1000}
	fallbackOn       = []string{"timeout", "unavailable", "failed", "internal"}
)

func retryOf[T any](get func(*T) **Retry) value[T] {
	v := one(&retryTable, func(t *T, r *Retry) { *get(t) = r }, func(r *Retry) *Place { return &r.Place }, retryDefaults)
	read := v.read
	v.read = func(l *loader, n *node, to *T, what string) {
		before := l.Faults()
		read(l, n, to, what)
		if r := *get(to); l.Faults() == before {
			l.checkRetry(r, &r.Place)
		}
	}
	return v
}

// checkRetry finds pauses that cannot grow. p is where the keys stand.
func (l *loader) checkRetry(r *Retry, p *Place) {
	if r.Initial <= r.Max {
		return
	}
	key := "initial_delay"
	for _, k := range []string{"initial", "max", "max_delay"} {
		if p.Has(k) {
			key = k
		}
	}
	l.Note(p.At(key), "the longest pause, %v, is shorter than the first one, %v", r.Max, r.Initial)
}

func breakerOf[T any](get func(*T) **CircuitBreaker) value[T] {
	return one(&breakerTable, func(t *T, c *CircuitBreaker) { *get(t) = c }, func(c *CircuitBreaker) *Place { return &c.Place }, breakerDefaults)
}

func resilienceTables() {
	retryTable.fields = retryFields(func(r *Retry) *Retry { return r })
	breakerTable.fields = breakerFields(func(c *CircuitBreaker) *CircuitBreaker { return c })
	bulkheadTable.fields = bulkheadFields(func(b *Bulkhead) *Bulkhead { return b })
	cacheTable.fields = cacheFields(func(c *Cache) *Cache { return c })
	trackingTable.fields = []field[ErrorTracking]{
		{name: "enabled", byDef: "true", doc: "Off, no error is kept.", value: boolean(func(e *ErrorTracking, b bool) { e.Disabled = !b })},
		{name: "max_errors", byDef: "1000", doc: "How many errors are kept.", value: count(1, 100_000, func(e *ErrorTracking, v int) { e.ErrorsMax = v })},
	}
	faultTable.fields = faultFields(func(f *FaultTolerance) *FaultTolerance { return f })
	changeTable.fields = []field[Change]{
		{name: "remove", others: []string{"remove_fields"}, doc: "Names of members that are taken out.", value: texts(func(c *Change) *[]string { return &c.Remove })},
		{name: "set", doc: "Members that are put in, with their values as they are written: no templates.", value: jsonMap(func(c *Change) *map[string]rawJSON { return &c.Set })},
	}
	optionTable.fields = []field[Alternative]{
		{name: "tool", doc: "The name of another tool, which gets the same arguments.", value: text(func(a *Alternative) *string { return &a.Tool })},
		{name: "value", same: "tool", doc: "The answer.", value: anything(func(a *Alternative) *rawJSON { return &a.Value })},
	}
	retryTable.ready()
	breakerTable.ready()
	bulkheadTable.ready()
	cacheTable.ready()
	trackingTable.ready()
	faultTable.ready()
	changeTable.ready()
	optionTable.ready()
	readyMiddleware()
}

func retryFields[T any](get func(*T) *Retry) []field[T] {
	return []field[T]{
		{name: "max_attempts", byDef: "3", doc: "How often it is tried, the first time counted.", value: count(1, 100, func(t *T, v int) { get(t).MaxAttempts = v })},
		{name: "initial_delay", others: []string{"initial"}, byDef: "100ms", doc: "The first pause.", value: duration(func(t *T) *time.Duration { return &get(t).Initial })},
		{name: "max_delay", others: []string{"max"}, byDef: "30s", doc: "The longest pause.", value: duration(func(t *T) *time.Duration { return &get(t).Max })},
		{name: "multiplier", byDef: "2", doc: "How many times longer each pause is than the one before.", value: factor(func(t *T) *float64 { return &get(t).Multiplier })},
		{name: "jitter", byDef: "true", doc: "Pauses are of random length between half of what they would be and all of it, so that callers do not come back together.", value: boolean(func(t *T, b bool) { get(t).Jitter = b })},
		{name: "retry_on", byDef: "[timeout, unavailable]", doc: "The classes of errors after which it is tried again.", value: classes(func(t *T) *[]string { return &get(t).On })},
	}
}

func breakerFields[T any](get func(*T) *CircuitBreaker) []field[T] {
	return []field[T]{
		{name: "enabled", byDef: "true", doc: "Off, no call is refused.", value: boolean(func(t *T, b bool) { get(t).Disabled = !b })},
		{name: "failure_threshold", byDef: "5", doc: "How many failures in a row open it.", value: count(1, 1_000_000, func(t *T, v int) { get(t).FailuresMax = v })},
		{name: "timeout", byDef: "60s", doc: "How long it stays open before it lets calls try.", value: duration(func(t *T) *time.Duration { return &get(t).OpenTime })},
		{name: "success_threshold", byDef: "2", doc: "How many successes close it again.", value: count(1, 1_000_000, func(t *T, v int) { get(t).Successes = v })},
		{name: "half_open_max", byDef: "1", doc: "How many calls may try at once.", value: count(1, 10_000, func(t *T, v int) { get(t).ProbesMax = v })},
	}
}

func bulkheadFields[T any](get func(*T) *Bulkhead) []field[T] {
	return []field[T]{
		{name: "max_concurrent", byDef: "10", doc: "How many calls run at once.", value: count(1, 100_000, func(t *T, v int) { get(t).ConcurrencyMax = v })},
		{name: "max_queue", byDef: "0", doc: "How many calls wait; more are refused.", value: count(0, 100_000, func(t *T, v int) { get(t).QueueMax = v })},
		{name: "queue_timeout", byDef: "1s", doc: "How long a call waits.", value: duration(func(t *T) *time.Duration { return &get(t).QueueTime })},
	}
}

func cacheFields[T any](get func(*T) *Cache) []field[T] {
	return []field[T]{
		{name: "strategy", byDef: "lru", doc: "Which answer goes when it is full: the least recently used.", value: choice([]string{"lru"}, func(*T, string) {})},
		{name: "ttl", same: "ttl_seconds", byDef: "1m", doc: "How long an answer is kept.", value: duration(func(t *T) *time.Duration { return &get(t).TTL })},
		{name: "ttl_seconds", same: "ttl", doc: "How long an answer is kept, in seconds.", value: units(time.Second, func(t *T) *time.Duration { return &get(t).TTL })},
		{name: "max_size", byDef: "1000", doc: "How many answers are kept.", value: count(1, 10_000_000, func(t *T, v int) { get(t).EntriesMax = v })},
		{name: "max_bytes", byDef: "16MiB", doc: "The bytes of all answers that are kept.", value: size(func(t *T) *uint64 { return &get(t).BytesMax })},
	}
}

func faultFields[T any](get func(*T) *FaultTolerance) []field[T] {
	return []field[T]{
		{name: "circuit_breaker", doc: "One for each tool.", value: breakerOf(func(t *T) **CircuitBreaker { return &get(t).CircuitBreaker })},
		{name: "retry", doc: "Tries again what failed.", value: retryOf(func(t *T) **Retry { return &get(t).Retry })},
		{name: "error_tracking", doc: "Keeps the last errors of each tool: their times and classes are shown at /status, their texts to programs that ask (forge.Project.State).", value: one(&trackingTable, func(t *T, e *ErrorTracking) { get(t).ErrorTracking = e }, noPlace, trackingDefaults)},
	}
}

// resilienceFields are the keys of an http tool that stand for middleware.
func resilienceFields() []field[Tool] {
	return []field[Tool]{
		{name: "retry", doc: "Sends a request again that failed, if its method is one that may be sent twice.", value: retryOf(func(t *Tool) **Retry { return &t.HTTP.Retry })},
		{name: "fallback", doc: "What answers when the request fails: one alternative or a list.", value: fallbacks(func(t *Tool, f *Fallback) {
			t.fallback = &Middleware{Type: MiddlewareFallback, Fallback: f}
		})},
		{name: "bulkhead", doc: "Bounds how many requests run at once.", value: one(&bulkheadTable, func(t *Tool, b *Bulkhead) {
			t.bulkhead = &Middleware{Place: b.Place, Type: MiddlewareBulkhead, Bulkhead: b}
		}, func(b *Bulkhead) *Place { return &b.Place }, bulkheadDefaults)},
	}
}

func factor[T any](get func(*T) *float64) value[T] {
	return value[T]{scalarForm("number from 1 to 100", "number"), func(l *loader, n *node, to *T, what string) {
		s, shown, ok := l.Scalar(n, what)
		if !ok {
			return
		}
		var v float64
		if json.Unmarshal([]byte(s), &v) != nil || v < 1 || v > 100 {
			l.Fault(n, "%s is %q: it has to be a number from 1 to 100", what, shown)
			return
		}
		*get(to) = v
	}}
}

func classes[T any](get func(*T) *[]string) value[T] {
	v := texts(get)
	v.form.human = "list of " + yamlfile.OrList(errorClasses)
	read := v.read
	v.read = func(l *loader, n *node, to *T, what string) {
		*get(to) = nil
		before := l.Faults()
		read(l, n, to, what)
		for _, c := range *get(to) {
			if l.Faults() == before && !slices.Contains(errorClasses, c) {
				l.Fault(n, "there is no class of errors %q%s", c, l.nearest(c, errorClasses))
			}
		}
	}
	return v
}

func jsonMap[T any](get func(*T) *map[string]rawJSON) value[T] {
	return value[T]{form{human: "values by name", schema: map[string]any{"type": "object"}}, func(l *loader, n *node, to *T, what string) {
		if !l.bounded(n, what, listMax) {
			return
		}
		*get(to) = map[string]rawJSON{}
		l.Members(n, what, nil, func(key, v *node) { (*get(to))[key.Value] = l.JSON(v, what, nil) })
	}}
}

// fallbacks reads one alternative or a list of them.
func fallbacks[T any](set func(*T, *Fallback)) value[T] {
	f := form{human: "mapping, or list of mappings", schema: map[string]any{"type": []any{"object", "array"}}, uses: []described{&optionTable}}
	return value[T]{f, func(l *loader, n *node, to *T, what string) {
		f := &Fallback{On: fallbackOn}
		set(to, f)
		if !l.IsList(n) {
			f.Alternatives = []Alternative{l.alternative(n)}
			return
		}
		if l.bounded(n, what, 16) {
			l.List(n, what, func(n *node) { f.Alternatives = append(f.Alternatives, l.alternative(n)) })
		}
	}}
}

// alternative reads a tool's name, a value, or a tool that is written in place.
func (l *loader) alternative(n *node) (a Alternative) {
	if l.IsMapping(n) && hasKey(l.Resolve(n), "type") {
		if l.depth == paramDepthMax {
			l.Fault(n, "fallbacks of fallbacks are nested more than %d deep", paramDepthMax)
			return a
		}
		t := Tool{Hidden: true}
		l.depth++
		l.tool(n, &t) // which does not ask for a name of a hidden tool
		l.depth--
		a.Place = t.Place
		if t.Kind == KindWasm {
			l.Fault(n, "a wasm tool cannot be written as a fallback, since its module names its tools: write it in tools, and name one of them here as tool: NAME")
		} else if t.Place.Has("name") {
			l.Note(t.At("name"), "a tool that is written as a fallback has no name: leave it out, or write the tool in tools and name it here as tool: %s", t.Name)
		}
		l.shared.hidden++
		t.Name = fmt.Sprintf("fallback.%d", l.shared.hidden)
		a.Tool = t.Name
		l.hidden = append(l.hidden, t)
		return a
	}
	optionTable.read(l, n, &a, &a.Place)
	if a.Place.Pos.Line > 0 && !a.Place.Has("tool") && !a.Place.Has("value") {
		l.Fault(n, "a fallback lacks a tool or a value, as {tool: other_tool} or {value: {…}}")
	}
	return a
}

func hasKey(n *node, key string) bool {
	for i := 0; n != nil && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

// readyMiddleware makes the table of each type.
func readyMiddleware() {
	add := func(kind, doc string, fields ...field[Middleware]) {
		t := &table[Middleware]{name: "middleware_" + kind, what: "middleware of type " + kind, doc: doc}
		t.fields = append([]field[Middleware]{{name: "type", required: true, doc: "Always " + kind + ".", value: value[Middleware]{form: form{human: kind, schema: map[string]any{"const": kind}}}}}, fields...)
		middlewareTables[kind] = t.ready()
	}
	add(MiddlewareLogging, "Writes a line for each call.",
		field[Middleware]{name: "tag", doc: "Stands in each line.", value: text(func(m *Middleware) *string { return &m.Logging.Tag })},
		field[Middleware]{name: "level", byDef: "info", doc: "The level of the lines.", value: choice([]string{"debug", "info", "warn", "error"}, func(m *Middleware, w string) { m.Logging.Level = w })},
		field[Middleware]{name: "include_request", byDef: "false", doc: "The arguments too, redacted.", value: boolean(func(m *Middleware, b bool) { m.Logging.IncludeRequest = b })},
		field[Middleware]{name: "include_response", byDef: "false", doc: "The answer too, redacted.", value: boolean(func(m *Middleware, b bool) { m.Logging.IncludeResponse = b })},
		field[Middleware]{name: "redact", doc: "Names of members whose values are not written.", value: texts(func(m *Middleware) *[]string { return &m.Logging.Redact })})
	add(MiddlewareValidation, "Refuses calls beyond what the parameters ask for.",
		field[Middleware]{name: "required_fields", doc: "Arguments that each call has to have.", value: texts(func(m *Middleware) *[]string { return &m.Validation.RequiredFields })},
		field[Middleware]{name: "schema", doc: "A JSON Schema of the arguments.", value: jsonSchema(func(m *Middleware) *rawJSON { return &m.Validation.Schema })},
		field[Middleware]{name: "output", byDef: "false", doc: "Hold structured answers against the tool's output_schema.", value: boolean(func(m *Middleware, b bool) { m.Validation.Output = b })})
	change := func(get func(*Transform) **Change) value[Middleware] {
		return one(&changeTable, func(m *Middleware, c *Change) { *get(m.Transform) = c }, func(c *Change) *Place { return &c.Place }, Change{})
	}
	add(MiddlewareTransform, "Changes arguments and structured answers.",
		field[Middleware]{name: "request", doc: "Change the arguments.", value: change(func(t *Transform) **Change { return &t.Request })},
		field[Middleware]{name: "response", doc: "Change structured answers.", value: change(func(t *Transform) **Change { return &t.Response })})
	add(MiddlewareRecovery, "What fault_tolerance says, at this place in the chain.", faultFields(func(m *Middleware) *FaultTolerance { return m.Recovery })...)
	add(MiddlewareMetrics, "Counts and times the calls at this place in the chain, behind a retry each attempt, for /metrics and /status. The calls of a tool as a whole are counted always.")
	add(MiddlewareTimeout, "Ends calls that take too long.",
		field[Middleware]{name: "timeout", same: "timeout_ms", doc: "How long a call may take.", value: duration(func(m *Middleware) *time.Duration { return &m.Timeout })},
		field[Middleware]{name: "timeout_ms", same: "timeout", doc: "How long a call may take, in milliseconds.", value: units(time.Millisecond, func(m *Middleware) *time.Duration { return &m.Timeout })})
	add(MiddlewareRetry, "Tries again what failed.", retryFields(func(m *Middleware) *Retry { return m.Retry })...)
	add(MiddlewareRateLimit, "Bounds how often a tool is called.",
		field[Middleware]{name: "requests", required: true, doc: "How many calls there may be in the time of per.", value: count(1, 1<<30, func(m *Middleware, v int) { m.RateLimit.Requests = v })},
		field[Middleware]{name: "per", byDef: "1s", doc: "The time that requests counts for.", value: duration(func(m *Middleware) *time.Duration { return &m.RateLimit.Per })},
		field[Middleware]{name: "burst", byDef: "requests", doc: "How many calls may come at once.", value: count(1, 1<<30, func(m *Middleware, v int) { m.RateLimit.Burst = v })},
		field[Middleware]{name: "by", byDef: "client", doc: "Who shares the limit: each client has its own, each tool, or all share one.", value: choice([]string{"client", "tool", "server"}, func(m *Middleware, w string) { m.RateLimit.By = w })})
	add(MiddlewareCache, "Answers the same call from memory.", cacheFields(func(m *Middleware) *Cache { return m.Cache })...)
	add(MiddlewareCircuitBreaker, "Refuses the calls of a tool that keeps failing, for a while.", breakerFields(func(m *Middleware) *CircuitBreaker { return m.CircuitBreaker })...)
	add(MiddlewareBulkhead, "Bounds how many calls run at once.", bulkheadFields(func(m *Middleware) *Bulkhead { return m.Bulkhead })...)
	add(MiddlewareFallback, "Answers in place of a tool that failed.",
		field[Middleware]{name: "fallback", others: []string{"fallbacks"}, required: true, doc: "One alternative or a list.", value: fallbacks(func(m *Middleware, f *Fallback) { f.On = m.Fallback.On; m.Fallback = f })},
		field[Middleware]{name: "on", byDef: "[timeout, unavailable, failed, internal]", doc: "The classes of errors that it answers for.", value: classes(func(m *Middleware) *[]string { return &m.Fallback.On })})
}

// begin sets the part that a type of middleware has, with its defaults.
func (m *Middleware) begin(kind string) {
	m.Type = kind
	switch kind {
	case MiddlewareLogging:
		m.Logging = &Logging{Level: "info"}
	case MiddlewareValidation:
		m.Validation = &Validation{}
	case MiddlewareTransform:
		m.Transform = &Transform{}
	case MiddlewareRecovery:
		m.Recovery = &FaultTolerance{}
	case MiddlewareRetry:
		r := retryDefaults
		m.Retry = &r
	case MiddlewareRateLimit:
		m.RateLimit = &RateLimit{Per: time.Second, By: "client"}
	case MiddlewareCache:
		c := cacheDefaults
		m.Cache = &c
	case MiddlewareCircuitBreaker:
		c := breakerDefaults
		m.CircuitBreaker = &c
	case MiddlewareBulkhead:
		b := bulkheadDefaults
		m.Bulkhead = &b
	case MiddlewareFallback:
		m.Fallback = &Fallback{On: fallbackOn}
	}
}

// middlewares reads a list of middleware.
func middlewares[T any](get func(*T) *[]Middleware) value[T] {
	f := form{human: "list of middleware", schema: map[string]any{"type": "array", "items": ref("middleware")}}
	return value[T]{f, func(l *loader, n *node, to *T, what string) {
		if l.bounded(n, what, middlewareMax) {
			l.List(n, what, func(n *node) { *get(to) = append(*get(to), l.middleware(n)) })
		}
	}}
}

func (l *loader) middleware(n *node) (m Middleware) {
	kind := ""
	if l.IsMapping(n) {
		content := l.Resolve(n).Content
		for i := 0; i+1 < len(content); i += 2 {
			if content[i].Value != "type" {
				continue
			}
			l.Choice("the type of middleware", middlewareTypes, func(i int) { kind = middlewareTypes[i] })(content[i+1])
			if kind == "" {
				return m
			}
		}
	}
	if kind == "" {
		l.Fault(n, "middleware is a mapping with a type, as {type: logging}; the types are %s", yamlfile.OrList(middlewareTypes))
		return m
	}
	m.begin(kind)
	before := l.Faults()
	middlewareTables[kind].read(l, n, &m, &m.Place)
	if kind == MiddlewareTimeout && m.Timeout == 0 && !m.Place.Has("timeout") && !m.Place.Has("timeout_ms") {
		l.Lacks(n, "middleware of type timeout", "timeout")
	}
	if m.Retry != nil && l.Faults() == before {
		l.checkRetry(m.Retry, &m.Place)
	}
	if m.RateLimit != nil && m.RateLimit.Burst == 0 {
		m.RateLimit.Burst = m.RateLimit.Requests
	}
	return m
}

// desugar puts the middleware of an http tool's own keys inside of what its list has:
// the fallback also answers for what the bulkhead refuses, whichever is written first.
func (t *Tool) desugar() {
	for _, m := range []*Middleware{t.fallback, t.bulkhead} {
		if m != nil {
			t.Middleware = append(t.Middleware, *m)
		}
	}
}
