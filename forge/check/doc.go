// Package check runs the tests of a forge.yaml: calls, each with what it has to answer.
//
// The main functions are [Load], which finds the tests of a file and of the files named
// *.forge-test.yaml beside it, and [Run].
//
//	c, tests, err := check.Load("forge.yaml")
//	if err != nil { … }
//	results, err := check.Run(ctx, "forge.yaml", tests, check.Options{Secrets: c.Secrets})
//
// A test's call goes through the server that the file makes, as a client's does, and its
// state is in memory and empty: see config.Test.
//
// # Caveats
//
//   - Programs and requests of cli and http tools are run and made as they are written:
//     nothing stands in for them.
//   - Each test opens the file anew, so that neither its state nor its circuit breakers
//     know of another's calls. A module is compiled once, where there is a cache for it.
package check
