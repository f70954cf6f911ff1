// Command js compares the npm package with other stores of Node, and writes the section
// bench-js of docs/BENCHMARKS.md.
//
// The measuring is js/environments/bench-peers.mjs, which runs all contestants
// interleaved in one process; this command starts it and makes the tables. The peers are
// npm packages of js/environments, which `make bench-js` installs.
//
//	go -C bench run ./js           # about two minutes
//	go -C bench run ./js --quick   # proves that the command works
//
// # Caveats
//
// Node is the newest that js/environments has, so that SQLite as Node 22 has it can take
// part; --node names another.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/ingot-run/ingot/bench/report"
)

// sectionName is the name of this command's section in docs/BENCHMARKS.md.
const sectionName = "bench-js"

func main() { report.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := report.Options{Name: sectionName, Rounds: 15}
	flags := o.Flags()
	node := flags.String("node", "", "the Node to measure with (default the newest that js/environments has)")
	err := o.Parse(flags, args, stderr)
	if err == nil {
		err = bench(ctx, o, *node, stdout, stderr)
	}
	return report.Exit(sectionName, err, stderr)
}

// bench measures, and writes what came of it.
func bench(ctx context.Context, o report.Options, node string, stdout, stderr io.Writer) error {
	dir := filepath.Join(o.Root, "js", "environments")
	if node == "" {
		node = newestNode(dir)
	}
	args := []string{"--expose-gc", "bench-peers.mjs", "--rounds=" + strconv.Itoa(o.Rounds)}
	if o.Quick {
		args = append(args, "--warm=1", "--keys=1000")
	}
	cmd := exec.CommandContext(ctx, node, args...)
	cmd.Dir, cmd.Stderr = dir, stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("running js/environments/bench-peers.mjs (`make bench-js` installs what it needs): %w", err)
	}
	m, err := parse(out)
	if err != nil {
		return err
	}
	return o.Publish(renderSection(report.DescribeMachine(), o, m), stdout)
}

// newestNode is the Node of js/environments that this machine can run, else the one in
// PATH.
func newestNode(dir string) string {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	path := filepath.Join(dir, "node22", "node_modules", "node-"+runtime.GOOS+"-"+arch, "bin", "node")
	if _, err := os.Stat(path); err != nil {
		return "node"
	}
	return path
}

// measured is what bench-peers.mjs writes.
type measured struct {
	Node       string `json:"node"`
	Keys       int    `json:"keys"`
	ValueBytes int    `json:"valueBytes"`
	Many       int    `json:"many"`
	LeftOut    []struct {
		Name   string `json:"name"`
		Reason string `json:"reason"`
	} `json:"leftOut"`
	Nanos map[string]map[string][]float64 `json:"nanos"` // by operation and contestant, a key in each round
}

// parse reads what bench-peers.mjs has written.
func parse(out []byte) (m measured, err error) {
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.DisallowUnknownFields()
	var all struct {
		measured
		Rounds int `json:"rounds"`
	}
	if err := decoder.Decode(&all); err != nil {
		return m, fmt.Errorf("reading what bench-peers.mjs wrote: %w", err)
	}
	for _, operation := range operations {
		if n := len(all.Nanos[operation.key]["ingot"]); n == 0 || n != all.Rounds {
			return m, fmt.Errorf("bench-peers.mjs has %d figures of ingot's %s in %d rounds", n, operation.key, all.Rounds)
		}
	}
	return all.measured, nil
}
