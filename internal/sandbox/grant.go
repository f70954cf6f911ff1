package sandbox

import (
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/ingot-run/ingot/internal/netguard"
	"github.com/ingot-run/ingot/state"
)

// capability is something that a policy grants and that guests are refused.
type capability int

const (
	capabilityState capability = iota
	capabilityFiles
	capabilityHTTP
	capabilities // how many there are
)

// capabilityNames are what logs and metrics use.
var capabilityNames = [capabilities]string{capabilityState: "state", capabilityFiles: "files", capabilityHTTP: "http"}

// granted is what a module holds of the host for as long as it is loaded.
type granted struct {
	roots    []*os.Root // in the order of Policy.Files
	guard    *netguard.Guard
	state    state.Manager // nil: there is none
	refusals [capabilities]atomic.Uint64
}

// open gets hold of what the policy grants. Its partner is close.
func (g *granted) open(p *Policy, manager state.Manager) (err error) {
	if len(p.State) > 0 && manager == nil {
		return fmt.Errorf("it grants state, and the host was started without a state store: give it one, or leave the grant out")
	}
	g.state = manager
	if g.roots, err = openRoots(p.Files); err != nil {
		return err
	}
	rules := make([]netguard.Rule, len(p.HTTP))
	for i, h := range p.HTTP {
		rules[i] = h.rule()
	}
	g.guard, err = netguard.New(rules, netguard.Options{})
	return err
}

// close lets go of it.
func (g *granted) close() {
	closeRoots(g.roots)
	if g.guard != nil {
		g.guard.Close()
	}
}

// refused is the refusals by name.
func (g *granted) refused() map[string]uint64 {
	out := map[string]uint64{}
	for i, name := range capabilityNames {
		if n := g.refusals[i].Load(); n > 0 {
			out[name] = n
		}
	}
	return out
}

// grantUse is what one call has used of its grants. The zero value is a call that
// has used nothing.
type grantUse struct {
	fileBytes []uint64 // left, by file grant; nil: nothing was written yet
	state     []stateUse
	requests  uint64
	list      listUse
	progress  progressUse
	said      [capabilities]bool
}

// fileBytesLeft is the budget of a file grant.
func (u *grantUse) fileBytesLeft(p *Policy, index int) *uint64 {
	if u.fileBytes == nil {
		u.fileBytes = make([]uint64, len(p.Files))
		for i, g := range p.Files {
			u.fileBytes[i] = g.BytesMax
		}
	}
	return &u.fileBytes[index]
}

// stopIfOver ends the guest when its time is over or the caller has given up. The
// host functions that can take their time begin with it: a guest that calls them
// in a row burns next to no fuel, and would outlive its deadline by as many of
// them as fit into a slice.
func (c *call) stopIfOver() {
	if c.ctx.Err() != nil {
		panic(errStopped)
	}
}

// refuse counts a refusal and logs the first of each kind in a call: a guest that
// goes on asking fills no log.
func (c *call) refuse(what capability, detail string) {
	c.instance.owner.grants.refusals[what].Add(1)
	if c.grants.said[what] {
		return
	}
	c.grants.said[what] = true
	c.log.logger.LogAttrs(c.ctx, slog.LevelWarn, "a guest was refused", slog.String("capability", capabilityNames[what]), slog.String("detail", detail))
}
