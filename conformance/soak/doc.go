// Soak runs servers of a forge.yaml for minutes under everything that may happen to
// them at once, and counts what came of it.
//
// Clients call tools of every kind (native, cli, http, pipeline, wasm), read resources
// and get prompts, while the file is edited into valid and broken ones, hostile guests
// loop, trap and ask for all memory, the peer of the http tool dies and comes back, and
// the servers are stopped and killed and started again. One site keeps its state in
// files; where redis-server is installed a second keeps it in Redis, which is killed
// too. The main types are [world], all of it; [site], one server with its file, its
// processes and the writes that it has acknowledged; and [tally], the counts.
//
//	go run ./conformance/soak -duration 10m
//
// It fails when an acknowledged write is gone, when an answer is not one that may be,
// when something is left behind (goroutines, open files, memory, processes), or when a
// kind of call never succeeded.
//
// # Caveats
//
// A killed process is not a power failure: what the system has in its cache survives
// it. That the log survives the other kind is what engine/crashtest is about. Reading
// what a process has open needs /proc; elsewhere only goroutines are counted.
package main
