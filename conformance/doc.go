// Package conformance holds the scripts that every build of the engine passes,
// and the tests that run them: on the native engine and, through engine.wasm,
// under wazero, in Node and in Chromium. It also holds the exchange tests: a
// snapshot that one build writes opens in each other one.
//
// The scripts are data, in scripts/*.txt: a command a line, and under it what
// it prints. README.md specifies the format. A script begins like this:
//
//	> set "greeting" "hello"
//	version 1
//	> get "greeting"
//	"hello" version 1
//
// Run them natively and under wazero, or write what they print now:
//
//	go test ./conformance
//	go test ./conformance -run TestScriptsNative -update
//
// # Caveats
//
// The package has no code besides its tests. They build engine.wasm from the
// source in hand, unless the environment variable INGOT_ENGINE_WASM names one.
package conformance
