// Package examples tests every server in examples/ but everything, which has a package of
// its own, as its clients meet it: started by the shipped binary, ingot serve, or by the
// program that ingot build makes of it, and called by the client of the official Go SDK.
// Every tool that a server lists is called, every resource read, every prompt got, and
// their answers are compared with calls.json; what is listed there and not by the server,
// or the other way round, fails.
//
// It has tests only; run them with
//
//	go test ./examples
//
// # Caveats
//
// The network is the loopback alone: servers that others are asked by are stood in for. The
// modules of examples/polyglot are those that are committed; TestPolyglotSource compiles
// their source where the compilers are there, as INGOT_GUESTS_REQUIRE may ask (c, rust, as).
package examples
