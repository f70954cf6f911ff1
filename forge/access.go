package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/access"
	"github.com/ingot-run/ingot/internal/audit"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// openAccess makes what the blocks access and audit say, unless the project is its
// owner's: who may do what, and the record of who did. Partner: closeAccess.
func (p *Project) openAccess(c *config.Config) (err error) {
	if p.options.Owner || len(c.Access.Roles) == 0 && c.Audit.Path == "" {
		return nil
	}
	policy, err := access.Compile(c.Access.Rules)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Access.Pos, err) // the loader has seen to it that there is none
	}
	if c.Audit.Path == "" {
		p.keeper = access.NewKeeper(policy, nil)
		return nil
	}
	o := c.Audit.Options()
	o.Redact, o.Log = c.Secrets.Redact, func(text string) { p.options.Logger.Warn(text) }
	if p.audit, err = audit.Open(c.Audit.Path, o); err != nil {
		return err
	}
	p.options.Logger.Info("keeping a record of requests", "file", c.Audit.Path, "sync", cmp.Or(o.Sync, audit.SyncInterval), "on_failure", cmp.Or(o.OnFailure, audit.FailureRefuse))
	p.keeper = access.NewKeeper(policy, p.audit)
	return nil
}

// closeAccess ends the record, behind the last request.
func (p *Project) closeAccess() error {
	if p.audit == nil {
		return nil
	}
	return p.audit.Close()
}

// denied is how many requests the rules refused; false: there are none.
func (p *Project) denied() (int64, bool) { return p.keeper.Count() }

// reloadedAccess is what the rules come to that a generation brings; the second value says
// that they can be put in force.
func (p *Project) reloadedAccess(c *config.Config) (*access.Policy, bool, error) {
	if p.keeper == nil {
		return nil, false, nil
	}
	policy, err := access.Compile(c.Access.Rules)
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", c.Access.Pos, err)
	}
	return policy, true, nil
}

// accessRestart lists what of the blocks access and audit takes effect at the next start.
func (p *Project) accessRestart(now *config.Config) (all []string) {
	if p.options.Owner {
		return nil
	}
	if p.keeper == nil && len(now.Access.Roles) > 0 {
		all = append(all, "access takes effect at the next start, since there was neither access nor audit at this one")
	}
	a, b := p.opened.Audit, now.Audit
	a.Place, b.Place = config.Place{}, config.Place{}
	if fmt.Sprint(a) != fmt.Sprint(b) {
		all = append(all, "audit takes effect at the next start")
	}
	return all
}

// ofCaller is a state as the caller of each operation may see it.
func (p *Project) ofCaller(m state.Manager) state.Manager {
	if p.keeper == nil {
		return m
	}
	return p.keeper.State(m)
}

// mayReadURI asks the rules whether the caller may read a resource by another way than
// resources/read: in a prompt, or to write it.
func (g *generation) mayReadURI(ctx context.Context, uri string) error {
	if k := g.project.keeper; k != nil {
		return k.Allow(ctx, mcp.KindResource, uri)
	}
	return nil
}

// refused reports whether an error is that of rules which deny a key.
func refused(err error) bool {
	var denied *access.Error
	return errors.As(err, &denied)
}
