// Package middleware stands around the handlers of tools: it logs, checks, limits,
// caches, repeats, and keeps away from what fails.
//
// [Wrap] puts a chain around a handler, the first middleware outermost; [Chain] says
// what the chain of a tool is. [Shared] holds what outlives a call: breakers, limits,
// caches, counts; [Shared.State] lists it.
//
//	shared := middleware.NewShared(middleware.Options{Logger: log, Secrets: cfg.Secrets, Lookup: lookup}, nil)
//	h, err := middleware.Wrap(h, tool, middleware.Chain(cfg, tool), shared)
//
// After a hot reload, NewShared gets the Shared of before, and takes over the state
// of each middleware whose own configuration and whose tool's are what they were. The
// old one goes on serving the calls that still run, and all calls when the reload
// comes to nothing.
//
// A failure is an error, or an answer with IsError, which counts as fault.Failed. That
// a handler asks its client (mcp.ErrInputRequired) is neither success nor failure.
//
// # Caveats
//
// A retry, or a cache, that stands around all tools passes some by: retry takes what
// is read-only or idempotent by its annotations or its
// HTTP method, cache what is read-only. In a tool's own list they apply always.
//
// A timeout ends the context and waits for the handler, whose request is not valid
// any longer than it runs: a handler that ignores its context is not cut off.
// Where it is the probe of a breaker that is half open, others are refused meanwhile.
//
// A cache should not stand around a tool that asks its client, or whose answer
// depends on the caller in other ways than by arguments and principal. Clients
// without a principal share what is cached, and those that have no session either, as
// in modern HTTP without authentication, are one client to a rate limit.
package middleware
