// Package crashtest holds the tests of the engine's promise that nothing
// acknowledged is ever lost: workloads on a simulated disk (engine/storage/simdir)
// that are cut at every call, real processes that are killed, and files in which
// every kind of byte is damaged.
//
// There is nothing to call. Run it with
//
//	go test ./engine/crashtest
//
// # Caveats
//
// Each random test prints its seed. INGOT_TEST_SEED takes it back ("7" is that
// workload alone, "7+" begins there), and INGOT_SOAK=1 runs every test at its full
// length: thousands of workloads and 500 kills, an hour or more. INGOT_SOAK=20m does
// the same and ends each test after that long; every test prints what it counted.
package crashtest
