package main

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/bench/report"
)

func TestMedians(t *testing.T) {
	round := func(v float64) *figures {
		c := cost{server: v, redis: 2 * v, client: 3 * v, perSecond: 4 * v}
		return &figures{
			keys: []point{{size: 10, bytes: v, cost: c}}, tools: []point{{size: 1, extra: v}, {size: 2, extra: 10 * v}},
			embedded: c, servers: []serversPoint{{servers: 1, cost: c}, {servers: 2, cost: c}},
		}
	}
	f := medians([]*figures{round(5), round(1), round(3)})
	if p := f.keys[0]; p.size != 10 || p.bytes != 3 || p.cost != (cost{3, 6, 9, 12}) {
		t.Errorf("keys: %+v", p)
	}
	if len(f.tools) != 2 || f.tools[1].extra != 30 || f.tools[1].size != 2 {
		t.Errorf("tools: %+v", f.tools)
	}
	if f.embedded.perSecond != 12 || len(f.servers) != 2 || f.servers[1].servers != 2 {
		t.Errorf("servers: %+v", f)
	}
}

// The model of one server is its own run; a caller that costs more makes all slower.
func TestPredict(t *testing.T) {
	one := cost{server: 60, redis: 10, client: 30, perSecond: 20_000}
	if v := predict(one, one); math.Abs(v-20_000) > 1 {
		t.Errorf("predicted %v", v)
	}
	if v := predict(one, cost{client: 130}); math.Abs(v-10_000) > 1 {
		t.Errorf("predicted %v with a caller that costs more", v)
	}
}

func TestRender(t *testing.T) {
	c := cost{server: 50, redis: 10, client: 40, perSecond: 20_000}
	text := render(report.Machine{CPU: "a CPU", System: "a system"}, report.Options{Name: sectionName, Rounds: 3}, &figures{
		keys: []point{{size: 10_000, bytes: 170, cost: c}}, tools: []point{{size: 100, extra: 12}},
		embedded: c, servers: []serversPoint{{servers: 1, cost: c, predicted: 20_000}, {servers: 2, cost: c, predicted: 25_000}},
	})
	for _, want := range []string{
		"| 10,000 | 170 | 50.0 |", "| 100 | – | – | 12.0 |", "| 2 | 50.0 | 10.0 | 40.0 | 20,000 | 25,000 | 0.80x |",
		"A core of servers makes 20,000 calls a second", "carries 100,000: it is what 5.00 cores",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
}

// The whole command, shortened, writes its section.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the server and runs ten of them")
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	out := filepath.Join(t.TempDir(), "out.md")
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--quick", "--out", out}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit %d: %s%s", code, &stdout, &stderr)
	}
	text, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(text), "### Several servers on one Redis") {
		t.Errorf("%v: %s", err, text)
	}
}
