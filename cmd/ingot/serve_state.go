package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/fleet"
	"github.com/ingot-run/ingot/internal/metrics"
	"github.com/ingot-run/ingot/internal/statetools"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/redis"
)

// serveState is the state that ingot serve stands on, with what comes of where it is.
type serveState struct {
	state.Manager
	engine  func() (metrics.Engine, bool) // nil: the store is no part of this process
	tasks   mcp.TaskStore
	key     []byte         // that seals requests; empty: one of this process alone
	clients *fleet.Limiter // counts the requests of clients for all servers; nil: none does
	close   func() error
}

// openState opens the state that the flags say.
func (c *serveCommand) openState(ctx context.Context, logger *slog.Logger) (*serveState, error) {
	if c.Remote() {
		return c.openShared(ctx, logger)
	}
	store, closeStore, err := c.StoreFlags.Open(ctx, "serve", logger)
	if err != nil {
		return nil, err
	}
	m, stop := state.Embed(store), command.StartTicking(store)
	engine := func() (metrics.Engine, bool) {
		return metrics.Engine{Stats: store.Stats(), Log: store.LogStats(), Dir: c.Disk}, true
	}
	return &serveState{Manager: m, engine: engine, tasks: statetools.NewTasks(m), close: func() error { stop(); return closeStore() }}, nil
}

// openShared opens a state that other servers may stand on too.
func (c *serveCommand) openShared(ctx context.Context, logger *slog.Logger) (_ *serveState, err error) {
	if err := c.CheckRemote(); err != nil {
		return nil, command.Usage(err.Error())
	}
	m, err := redis.Open(ctx, redis.Options{URL: c.Data, BytesMax: c.GivenBytes(), Log: func(text string) { logger.Warn(text) }})
	if err != nil {
		return nil, err
	}
	s := &serveState{Manager: m, tasks: fleet.NewTasks(m, fleet.TaskOptions{Logger: logger}), close: m.Close}
	if s.key, err = fleet.Key(ctx, m); err == nil {
		s.clients, err = fleet.NewLimiter(m, "clients")
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return s, nil
}
