// Package cluster holds the test of several servers on one state: three processes of
// ingot serve behind a round robin, on a Redis Cluster of three masters and three
// replicas.
//
// They are one server to modern clients, and stay so when a master of redis and one of
// themselves are killed under load: each write that was acknowledged is there, and errors
// come between a fault and its end only. The counts are printed:
//
//	INGOT_REDIS_REQUIRE=1 go test ./conformance/cluster -v
//
// # Caveats
//
// The package has no code besides its tests. Where redis-server is not installed they
// are skipped, unless INGOT_REDIS_REQUIRE is 1.
package cluster
