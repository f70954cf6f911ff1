// Package fleet is what several servers share that stand on one state: the tasks that
// each of them runs, how much a client may still do, and the key that seals what
// clients carry between them.
//
// The main types are [Tasks], a mcp.SharedTasks, and [Limiter]; [Key] is for
// mcp.Options.StateKey.
//
//	m, err := redis.Open(ctx, redis.Options{URL: "redis://10.0.0.5"})
//	key, err := fleet.Key(ctx, m)
//	server := mcp.NewServer(mcp.Options{Tasks: fleet.NewTasks(m, fleet.TaskOptions{}), StateKey: key})
//
// All of it lies in the part of the state that clients do not reach (state.System).
//
// # Caveats
//
// Whoever may read the whole store has the key, and could make up what a client is
// believed to bring back.
//
// Sessions of the legacy era are not shared: a balancer has to keep such a client with
// one server.
package fleet
