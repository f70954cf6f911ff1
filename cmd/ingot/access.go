package main

import (
	"log/slog"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/access"
	"github.com/ingot-run/ingot/internal/audit"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// accessFlags say who may do what with a state that is served without a forge.yaml, and
// where it is recorded.
type accessFlags struct {
	Access string `placeholder:"FILE" type:"path" help:"YAML file with the blocks access: (who may do what) and audit:, as a forge.yaml has them."`
	Audit  string `placeholder:"FILE" type:"path" help:"Keep a record of who did what in this file, which ingot audit reads."`
}

// open gives to the guard that the flags ask for, if they do. done ends the record.
func (f *accessFlags) open(to *httpserve.Flags, logger *slog.Logger) (done func() error, err error) {
	c := &config.Config{}
	if f.Access != "" {
		if c, err = config.LoadAccess(f.Access, config.Options{}); err != nil {
			return nil, err
		}
	}
	switch {
	case f.Audit != "" && c.Audit.Path != "":
		return nil, command.Usage("there are both --audit and the block audit: of " + f.Access + ": take one away")
	case f.Audit != "":
		c.Audit.Path = f.Audit
	}
	policy, err := access.Compile(c.Access.Rules)
	if err != nil {
		return nil, err
	}
	if c.Audit.Path == "" {
		if policy != nil {
			to.Keeper = access.NewKeeper(policy, nil)
		}
		return func() error { return nil }, nil
	}
	o := c.Audit.Options()
	o.Redact, o.Log = c.Secrets.Redact, func(text string) { logger.Warn(text) }
	log, err := audit.Open(c.Audit.Path, o)
	if err != nil {
		return nil, err
	}
	to.Keeper = access.NewKeeper(policy, log)
	return log.Close, nil
}

// guarded has a server ask its keeper, if there is one, and returns the state as callers
// may see it.
func guarded(k *access.Keeper, server *mcp.Server, m state.Manager) state.Manager {
	if k == nil {
		return m
	}
	server.SetGuard(k)
	return k.State(m)
}
