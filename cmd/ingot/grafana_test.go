package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// tabled are the families of docs/METRICS.md, which TestMetricsTable holds to those of a
// running server.
func tabled(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(ingot_[a-z_]+)` \\| (\\w+) ").FindAllStringSubmatch(string(text), -1) {
		all[m[1]] = true
		if m[2] == "histogram" {
			all[m[1]+"_bucket"], all[m[1]+"_sum"], all[m[1]+"_count"] = true, true, true
		}
	}
	if len(all) < 40 {
		t.Fatalf("%d metrics in the table", len(all))
	}
	return all
}

// asked are the metrics of ingot in an expression of PromQL.
func asked(expression string) []string {
	return regexp.MustCompile(`\bingot_[a-z_]+`).FindAllString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(expression, `""`), -1)
}

// The dashboard asks for metrics that there are, and for all of them.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana/ingot.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID    string
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil || board.UID == "" {
		t.Fatalf("%q: %v", board.UID, err)
	}
	known, used, ids, rows := tabled(t), map[string]bool{}, map[int]bool{}, ""
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("the panel %d %q: its id is taken, it has no title, or it is too wide", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			rows += p.Title + ", "
			continue
		}
		if len(p.Targets) == 0 {
			t.Errorf("the panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			for _, name := range asked(target.Expr) {
				if !known[name] {
					t.Errorf("the panel %q asks for %s, which there is not", p.Title, name)
				}
				used[strings.TrimSuffix(name, "_bucket")] = true
			}
		}
	}
	if want := "Is it well?, Tools, Modules, State, Log, HTTP, Process and traces, "; rows != want {
		t.Errorf("the rows are %s, want %s", rows, want)
	}
	for name := range known {
		if base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count"); !used[base] {
			t.Errorf("no panel shows %s", base)
		}
	}
}

// The rules for alerts ask for metrics that there are.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	if len(rules.Groups) != 1 || len(rules.Groups[0].Rules) < 6 {
		t.Fatalf("%+v", rules)
	}
	known := tabled(t)
	for _, rule := range rules.Groups[0].Rules {
		names := asked(rule.Expr)
		if rule.Alert == "" || len(names) == 0 || rule.Annotations["summary"] == "" {
			t.Errorf("%+v says too little", rule)
		}
		for _, name := range names {
			if !known[name] {
				t.Errorf("%s asks for %s, which there is not", rule.Alert, name)
			}
		}
	}
}
