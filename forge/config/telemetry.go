package config

import (
	"encoding/json"
	"slices"
)

// Telemetry is the block telemetry: where traces are sent.
type Telemetry struct {
	Place
	Endpoint    string // of the collector; empty: what the environment says
	Headers     map[string]string
	SampleRatio float64 // 1 by default
	ServiceName string  // the server's name by default
	Baggage     bool
}

var telemetryTable = table[Telemetry]{name: "telemetry", what: "telemetry", doc: "Where traces are sent: to a collector of OpenTelemetry, by OTLP over HTTP with protobuf. What is not said here, the environment's OTEL_ variables say. It is read at the start; a reload does not change it."}

func telemetryTables() {
	telemetryTable.fields = []field[Telemetry]{
		{name: "endpoint", doc: "The collector's URL, as http://127.0.0.1:4318; without a path, /v1/traces is added.", value: text(func(t *Telemetry) *string { return &t.Endpoint })},
		{name: "headers", doc: "Headers of each request to it; their values are secrets, and come best from the environment as ${NAME}.", value: secretHeaders()},
		{name: "sample_ratio", byDef: "1", doc: "The part of the calls that are traced whose callers do not say whether they are.", value: ratio(func(t *Telemetry) *float64 { return &t.SampleRatio })},
		{name: "service_name", doc: "Whose spans they are; the server's name otherwise.", value: text(func(t *Telemetry) *string { return &t.ServiceName })},
		{name: "baggage", byDef: "false", doc: "Pass on the caller's baggage to the servers that http tools call.", value: boolean(func(t *Telemetry, b bool) { t.Baggage = b })},
	}
	telemetryTable.ready()
	at := slices.IndexFunc(topTable.fields, func(f field[top]) bool { return f.name == "middleware" })
	topTable.fields = slices.Insert(topTable.fields, at, field[top]{
		name: "telemetry", doc: "Where traces are sent.", value: value[top]{
			form{human: "mapping", schema: ref("telemetry"), uses: []described{&telemetryTable}},
			func(l *loader, n *node, t *top, _ string) {
				telemetryTable.read(l, n, &t.Telemetry, &t.Telemetry.Place)
			},
		},
	})
	topTable.ready()
}

// secretHeaders are texts by name, which nobody is to see.
func secretHeaders() value[Telemetry] {
	v := textMap(func(t *Telemetry) *map[string]string { return &t.Headers })
	read := v.read
	v.read = func(l *loader, n *node, t *Telemetry, what string) {
		read(l, n, t, what)
		for name, text := range t.Headers {
			l.headerName(name, t.At(what+"."+name))
			l.Secret(text, "[secret]")
		}
	}
	return v
}

func ratio[T any](get func(*T) *float64) value[T] {
	return value[T]{scalarForm("number from 0 to 1", "number"), func(l *loader, n *node, to *T, what string) {
		s, shown, ok := l.Scalar(n, what)
		if !ok {
			return
		}
		var v float64
		if json.Unmarshal([]byte(s), &v) != nil || v < 0 || v > 1 {
			l.Fault(n, "%s is %q: it has to be a number from 0 to 1", what, shown)
			return
		}
		*get(to) = v
	}}
}
