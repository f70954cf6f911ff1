package main

import (
	"path/filepath"
	"runtime"
	"strings"
)

// suites is every suite, the cheapest first.
func suites() []suite {
	all := []suite{
		{name: "format", what: "gofmt has nothing to change", command: []string{"sh", "-c", `test -z "$(gofmt -l . | tee /dev/stderr)"`}},
		{name: "vet", what: "go vet, for linux, js and wasip1", command: []string{"sh", "-c", "go vet ./... && GOOS=js GOARCH=wasm go vet ./hash ./engine/... ./mcp ./mcp/inmemory && GOOS=wasip1 GOARCH=wasm go vet ./hash ./engine/... ./mcp ./mcp/inmemory ./wasm"}},
	}
	all = append(all, lints()...)
	all = append(all,
		goTest("go", "all packages", "./..."),
		goTest("race", "all packages under the race detector", "-race", "-skip", "^("+strings.Join(serialTests, "|")+")$", "./..."),
		goTest("purego", "hash and engine without assembly", append([]string{"-tags", "purego"}, enginePackages...)...),
		gcCheck(),
		fuzzSmoke(),
		goTest("invariants", "the engine with its invariants checked", append([]string{"-tags", "invariants", "-gcflags=all=-d=checkptr"}, enginePackages...)...),
	)
	all = append(all, otherMachines()...)
	return append(all, otherLanguages()...)
}

// serialTests have nothing to race: they build or compile modules, or run one guest after
// another, for minutes under the detector. The suite of all packages runs them.
var serialTests = []string{
	"TestWasmStaysSmall", "TestNewAndBuild", "TestFuelDoesNotDependOnYields", "TestFaultsAreFound", "TestExtismPlugin",
	"TestABIRefusesUnknownHandles", "TestReleaseIsReproducible", "TestOneToolInFourLanguages", "TestCorpus",
}

// enginePackages are what runs in every build. The crash tests, of which a processor
// changes nothing but the time, run in the suites of all packages only.
var enginePackages = []string{"./hash", "./engine", "./engine/seal", "./engine/storage/..."}

// wasmPackages are what else runs as wasm: the core of MCP, which a page may serve.
var wasmPackages = append([]string{"./mcp", "./mcp/inmemory", "./mcp/seal"}, enginePackages...)

// gcCheck runs the engine's tests that churn most with the collector checking its
// own marks: what only an integer points to would be found unmarked.
func gcCheck() suite {
	s := goTest("gccheck", "the engine while the garbage collector checks its marks", "-count=1", "-run", "^TestSuite$/^(churn|soak|stress|snapshot)$|^FuzzIndex$", "./engine")
	s.env = []string{"GODEBUG=gccheckmark=1"}
	return s
}

// fuzzOne is a shell function: fuzz PACKAGE TARGET SECONDS. It fuzzes again where the time
// was over while a worker was at an input: Go calls that a failure, up to 1.26, although
// no input failed (golang/go#75804).
const fuzzOne = `log=$(mktemp) && trap 'rm -f "$log"' EXIT
fuzz() {
	for try in 1 2 3; do
		if go test "./$1" -run '^$' -fuzz "^$2$" -fuzztime "$3s" -fuzzminimizetime 10x >"$log" 2>&1; then cat "$log"; return; fi
		cat "$log"
		grep -qx ' *context deadline exceeded' "$log" || exit 1
		if grep -qi 'failing input\|panic\|testdata' "$log"; then exit 1; fi
		echo "no input of $2 failed: it is fuzzed again"
	done
	exit 1
}`

// fuzzSmoke fuzzes what reads the bytes of strangers, in CI for some five minutes in
// all: half of them a store's files, a quarter the wire and modules, the rest a moment
// each; elsewhere everything for a moment.
func fuzzSmoke() suite {
	const script = fuzzOne + `
for target in FuzzLogRecord FuzzLogBlocks FuzzLogFile; do fuzz engine $target "${CI:+4}5"; done
for target in FuzzRequest FuzzWire; do fuzz mcp/streamable $target "${CI:+1}5"; done
for target in FuzzFrames FuzzHandshake; do fuzz mcp/websocket $target "${CI:+1}5"; done
fuzz internal/sandbox/meter FuzzInstrument "${CI:+1}5"
for target in FuzzServer FuzzRepeat FuzzScan FuzzTemplates; do fuzz mcp $target 5; done
for target in FuzzPlainObject FuzzResultFault FuzzCustomSection; do fuzz internal/sandbox $target 5; done
fuzz internal/sandbox/signature FuzzVerify 5
for target in FuzzFast FuzzCompileAndValidate; do fuzz internal/schema $target 5; done
for package in internal/grants internal/toolargs; do fuzz $package FuzzParse 5; done
fuzz forge/resource FuzzNames 5
fuzz forge/config FuzzParse 5
for target in FuzzParse FuzzValueIsNeverExpanded; do fuzz forge/template $target 5; done
fuzz forge/httptool FuzzJSONTextKeepsItsShape 5
fuzz forge/pipeline FuzzNothingIsExpandedTwice 5
fuzz forge/expression FuzzValuesAreNeverEvaluated 5`
	return suite{name: "fuzz", what: "what reads the bytes of strangers, fuzzed", command: []string{"sh", "-c", script}}
}

// otherMachines runs hash and engine where the command itself does not.
func otherMachines() []suite {
	packages := enginePackages
	js := goTest("js", "hash, engine and mcp as GOOS=js in Node", append([]string{"-timeout=20m"}, wasmPackages...)...)
	js.env = []string{"GOOS=js", "GOARCH=wasm"}
	js.needs = []string{"node"}
	js.path = []string{filepath.Join(goRoot(), "lib", "wasm")}

	wasip1 := goTest("wasip1", "hash, engine and mcp as GOOS=wasip1 under wazero", append([]string{"-timeout=20m"}, wasmPackages...)...)
	wasip1.env = []string{"GOOS=wasip1", "GOARCH=wasm", "GOWASIRUNTIME=wazero"}
	wasip1.path = []string{filepath.Join(goRoot(), "lib", "wasm"), "bin"}

	narrow := goTest("386", "hash and engine where an int has 32 bits", packages...)
	narrow.env = []string{"GOARCH=386"}

	arm64 := goTest("arm64", "hash (NEON) and engine under qemu", append([]string{"-exec", "qemu-aarch64", "-timeout=20m"}, packages...)...)
	arm64.env = []string{"GOARCH=arm64", "INGOT_HASH_REQUIRE=neon"}
	arm64.needs = []string{"qemu-aarch64"}
	all := []suite{js, wasip1, arm64}
	if runtime.GOARCH == "amd64" { // which runs both
		all = append(all, narrow)
	}
	return all
}

// otherLanguages runs the npm package, the page, the clients and the benchmarks'
// own tests.
func otherLanguages() []suite {
	node := func(name, what, dir string) suite {
		return suite{name: name, what: what, dir: dir, needs: []string{"node"}, command: []string{"npm", "test", "--silent"}, count: countNode}
	}
	chromium := node("page", "the page of ingot serve, in Chromium", "web/test")
	chromium.needs = []string{"node", "chromium"}
	bench := goTest("bench", "the benchmarks' own tests", "-short", "./...")
	bench.dir = "bench"
	clients := goTest("clients-go", "mcp-stdio with the Go SDK's client and frame by frame", "./gosdk", "./harness", "./raw")
	clients.dir = "conformance/clients"
	everything := goTest("clients", "every SDK's client and the inspector with examples/everything, over stdio and HTTP", "-count=1", "./everything")
	everything.dir = "conformance/clients"
	everything.needs = []string{"node", "python3"}
	everything.tables = true
	guests := goTest("guests", "tools in Go, C, Rust and AssemblyScript, from ingot new to the Go SDK's client", "-count=1", "-timeout=20m", "./guests")
	guests.dir = "conformance/clients"
	guests.needs = []string{"node"}
	examples := goTest("examples", "every server in examples/, with each of its tools called by the Go SDK's client", "-count=1", "-timeout=20m", "./examples")
	examples.dir = "conformance/clients"
	scripts := node("conformance", "the conformance scripts in Node and Chromium, and snapshots between all builds", "conformance")
	scripts.needs = []string{"node", "chromium"}
	pack := node("js-pack", "the packed npm package in Node, TypeScript, bundlers and pages; its adapters, examples, size; all of Node again in Node 22", "js/environments")
	pack.needs = []string{"node", "chromium"}
	return []suite{
		pack,
		node("js-package", "the npm package: its API, its types, its failures", "js"),
		scripts,
		node("clients-node", "mcp-stdio with the TypeScript SDKs' clients and the inspector", "conformance/clients/node"),
		clients,
		everything,
		guests,
		examples,
		node("official", "the official MCP conformance suite against examples/everything", "conformance/official"),
		chromium,
		bench,
	}
}

// goTest is a `go test` with these arguments.
func goTest(name, what string, args ...string) suite {
	return suite{name: name, what: what, command: append([]string{"go", "test", "-json"}, args...), count: countGo}
}

// withPath is PATH with dirs in front.
func withPath(path string, dirs []string) string {
	return strings.Join(append(dirs, path), string(filepath.ListSeparator))
}
