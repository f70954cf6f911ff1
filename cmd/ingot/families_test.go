package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/ingot-run/ingot/internal/golden"
)

// families are the metrics of a server by their names, as Prometheus' own parser reads
// them.
type families map[string]*dto.MetricFamily

// families scrapes /metrics.
func (s *served) families(t *testing.T) families {
	t.Helper()
	status, text := s.look(t, "/metrics", "")
	p := expfmt.NewTextParser(model.LegacyValidation)
	all, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil || status != 200 {
		t.Fatalf("%d %v in %s", status, err, text)
	}
	return all
}

// labels are those of a metric as name="value", sorted.
func labels(m *dto.Metric) (all []string) {
	for _, l := range m.Label {
		all = append(all, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	slices.Sort(all)
	return all
}

// value is the sum of a family's metrics that have all these labels (name="value"): of
// histograms the number of observations.
func (f families) value(name string, with ...string) (sum float64) {
	family := f["ingot_"+name]
	if family == nil {
		return 0
	}
	for _, m := range family.Metric {
		has := labels(m)
		if slices.ContainsFunc(with, func(w string) bool { return !slices.Contains(has, w) }) {
			continue
		}
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return sum
}

// moved says which of these have not grown from one scrape to the next.
func moved(t *testing.T, before, after families, names ...string) {
	t.Helper()
	for _, name := range names {
		name, with, _ := strings.Cut(name, " ")
		if b, a := before.value(name, strings.Fields(with)...), after.value(name, strings.Fields(with)...); a <= b {
			t.Errorf("%s %s did not grow: %v, then %v", name, with, b, a)
		}
	}
}

// kindsRun calls what moves the metrics of the server of forgeFile.
func kindsRun(t *testing.T, s *served) {
	t.Helper()
	s.callModern(t, "echo", `{"text":"hi"}`)
	for range 3 {
		s.callModern(t, "fails", `{}`)
	}
	s.callModern(t, "remember", `{"key":"a","value":"b"}`)
	s.callModern(t, "keys", `{}`)
	s.callModern(t, "flow", `{"who":"me"}`)
	s.callModern(t, "sha256", `{"text":"abc"}`)
}

// Each figure of the server of a file moves when what it tells of happens.
func TestForgeMetricsMove(t *testing.T) {
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--config", forgeProject(t, forgeFile))
	before := s.families(t)
	kindsRun(t, s)
	after := s.families(t)
	moved(t, before, after,
		`tool_calls_total tool="echo" kind="native"`, `tool_duration_seconds tool="echo"`, `tool_errors_total tool="fails" class="failed"`,
		`tool_errors_total tool="fails" class="unavailable"`, `circuit_breaker_state tool="fails" state="open"`, `middleware_events_total tool="fails" type="circuit_breaker"`,
		`module_calls_total module="sha256.wasm"`, `module_fuel_total`, `module_instance_events_total event="reset"`,
		`state_keys`, `state_bytes`, `engine_writes_total`, `engine_resident_bytes`, `engine_order_bytes`,
		`log_syncs_total`, `log_written_bytes_total`, `log_bytes`, `log_sync_duration_seconds`,
		`http_requests_total path="/mcp" method="POST" code="200"`, `http_requests_total path="/metrics" method="GET" code="200"`,
	)
	for name, want := range map[string]float64{"ready": 1, `health_check check="state"`: 1, "state_up": 1, "build_info": 1, "log_degraded": 0} {
		name, with, _ := strings.Cut(name, " ")
		if got := after.value(name, strings.Fields(with)...); got != want {
			t.Errorf("%s %s is %v, want %v", name, with, got, want)
		}
	}
}

// Streams, sessions, refusals and what a client makes up move theirs.
func TestServeMetricsMove(t *testing.T) {
	t.Setenv("INGOT_MEMORY", "false")
	s := serve(t, "--data", filepath.Join(t.TempDir(), "state"))
	before := s.families(t)
	stream, err := http.DefaultClient.Do(s.modernRequest(t, "subscriptions/listen", "", `"notifications":{"resourceSubscriptions":["state:///a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	s.post(t, nil, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
	s.callModern(t, "state_set", `{"key":"a","value":"b"}`)
	s.callModern(t, "state_set", `{"key":"a","value":"c","if_version":77}`)
	s.callModern(t, "state_delete", `{"key":"a"}`)
	for i := range 50 { // a client makes up paths and methods
		r, err := http.NewRequestWithContext(t.Context(), fmt.Sprintf("MADE%d", i), fmt.Sprintf("%s/made-up-%d", s.origin, i), nil)
		if err != nil {
			t.Fatal(err)
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		w.Body.Close()
	}
	after := s.families(t)
	moved(t, before, after, `http_streams path="/mcp"`, `http_requests_in_flight path="/mcp"`, `sessions transport="streamable"`, `engine_deletes_total`, `engine_conflicts_total`,
		`state_watchers`, `http_requests_total path="other" method="other"`)
	if n := len(after["ingot_http_requests_total"].Metric); n > 10 {
		t.Errorf("%d series of requests: a client makes up labels", n)
	}
}

// docs/METRICS.md has the metrics that there are: their names, kinds, labels and help.
func TestMetricsTable(t *testing.T) {
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--config", forgeProject(t, tabledFile))
	kindsRun(t, s)
	all := s.families(t)
	for name, family := range all {
		if !strings.HasPrefix(name, "ingot_") {
			continue
		}
		if (family.GetType() == dto.MetricType_COUNTER) != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s", name, family.GetType())
		}
		if !strings.HasSuffix(family.GetHelp(), ".") {
			t.Errorf("the help of %s is no sentence: %q", name, family.GetHelp())
		}
		for _, bad := range []string{"_ms", "_millis", "_kb", "_minutes"} { // seconds and bytes are Prometheus' base units
			if strings.HasSuffix(strings.TrimSuffix(name, "_total"), bad) {
				t.Errorf("%s has no base unit", name)
			}
		}
	}
	document := "../../docs/METRICS.md"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- table: written by go test ./cmd/ingot -run TestMetricsTable -update -->\n", "<!-- end of the table -->"
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", document)
	}
	golden.Match(t, document, head+begin+table(all)+end+tail)
}

// tabledFile is forgeFile with what else there is to tell of.
var tabledFile = strings.Replace(forgeFile, "  - {type: metrics}\n", "  - {type: metrics}\n  - {type: ratelimit, requests: 1000, per: 1s}\n", 1) + "telemetry: {endpoint: 'http://127.0.0.1:1'}\n"

// table are the metrics as the rows of a table.
func table(all families) string {
	var b strings.Builder
	b.WriteString("| metric | kind | labels | what it is |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(name, "ingot_") {
			continue
		}
		names := map[string]bool{}
		for _, m := range all[name].Metric {
			for _, l := range m.Label {
				names["`"+l.GetName()+"`"] = true
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(all[name].GetType().String()),
			cmp.Or(strings.Join(slices.Sorted(maps.Keys(names)), ", "), "-"), all[name].GetHelp())
	}
	return b.String()
}
