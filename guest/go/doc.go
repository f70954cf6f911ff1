// Package guest is for writing ingot tools in Go. A tool is a main package that
// registers one typed function and is compiled to WebAssembly; package ingot's
// hosts run it in a sandbox.
//
//	package main
//
//	import guest "github.com/ingot-run/ingot/guest/go"
//
//	type Args struct {
//		Text string `json:"text" doc:"the text to shout" max:"1000"`
//	}
//
//	type Result struct {
//		Upper string `json:"upper"`
//	}
//
//	func init() {
//		guest.Register(guest.Tool{Name: "shout", Description: "Turns a text to upper case."},
//			func(a Args) (Result, error) { return Result{strings.ToUpper(a.Text)}, nil })
//	}
//
//	func main() {}
//
// Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o shout.wasm .
//
// and serve it with wasm-host serve shout.wasm.
//
// The main types are [Tool], what the tool says about itself, and [Error], a
// failure with a code. [Register] derives the JSON Schemas of arguments and
// result from their Go types; its comment lists the struct tags. [Log] writes to
// the host's log and [Progress] tells the caller how far the call is. What the
// policy grants is reached by [StateGet] and its kin, by [HTTP], and for files,
// environment, clock and random numbers by Go's own packages.
//
// [Describe] and [Call] run the tool natively, for its tests. There the state is a
// map in memory and HTTP is unavailable.
//
// # Caveats
//
// main never runs: a reactor has its init functions only. Nothing runs between
// calls, so goroutines that outlive a call stand still, and each call may find a
// fresh instance: package variables are no place for state.
//
// Without a grant the clock starts in 1970 and sleeping takes no time, and there
// are no files, no environment and no network. An uncaught panic ends the
// instance; the host reports its first line.
package guest
