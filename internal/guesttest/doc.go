// Package guesttest tells the author of a tool what is wrong with it. It loads a
// module into the sandbox, as a host does, and calls its tools in all the ways that
// a client and an unlucky day can.
//
// The main types are [Options], [Report], what was found, and [Check], one line of it:
//
//	report := guesttest.Run(ctx, "tool.wasm", module, guesttest.Options{})
//	report.WriteText(os.Stdout)
//	if report.Failed() > 0 { … }
//
// # Caveats
//
// The tools run with an empty state that grants them all keys, a virtual clock, a
// seeded random source, and nothing else: a tool that needs files, HTTP or
// configuration to answer at all is tested for how it takes a refusal.
//
// Arguments are made from the schema: what it does not say is not tried. A pattern
// is met only if one of a few usual texts meets it; give examples in the schema
// ("examples": […]) for the rest.
package guesttest
