package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/redis/rueidis"
)

// fate is what became of an exchange with a server.
type fate int

const (
	answered fate = iota // the server answered, if only that it will not
	refused              // the server said that it cannot just now; nothing was done
	unsent               // no connection: nothing was done
	lost                 // the connection broke: what was sent may have been done
	ended                // the caller's context ended, or the Manager was closed
)

// momentary begin the replies of a server that may do tomorrow what it refuses now.
var momentary = []string{"LOADING", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "BUSY ", "READONLY", "NOREPLICAS"}

// judge says what became of an exchange that ended with err.
func judge(ctx context.Context, err error) fate {
	if err == nil || rueidis.IsRedisNil(err) {
		return answered
	}
	if reply, ok := rueidis.IsRedisErr(err); ok {
		for _, head := range momentary {
			if strings.HasPrefix(reply.Error(), head) {
				return refused
			}
		}
		return answered
	}
	if ctx.Err() != nil || errors.Is(err, rueidis.ErrClosing) {
		return ended
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" || errors.Is(err, rueidis.ErrNoSlot) {
		return unsent
	}
	return lost
}

// unavailable is the error of a call that no server answered.
func (m *Manager) unavailable(since time.Time, cause error) error {
	return fmt.Errorf("%w: %s, since %s: %w", state.ErrUnavailable, m.target.shown, since.UTC().Format(time.RFC3339), cause)
}

// uncertain is the error of a write that was sent and not answered.
func (m *Manager) uncertain(cause error) error {
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", state.ErrUncertain, cause)
	}
	return fmt.Errorf("%w: %w: %s: %w", state.ErrUncertain, state.ErrUnavailable, m.target.shown, cause)
}

// replies tell what the answers of a server mean here, by how they begin.
var replies = []struct {
	head string
	is   error
	mend string
}{
	{"WRONGTYPE", state.ErrForeign, "delete or rename what another program keeps there, or give the store another name"},
	{"OOM", state.ErrFull, "raise maxmemory of the server, or delete something"},
	{"MISCONF", state.ErrDegraded, "the server cannot write to its disk: see its log"},
	{"READONLY", state.ErrReadOnly, "the server is a replica: name the master, Sentinels or the cluster"},
	{"NOAUTH", state.ErrUnavailable, "give a user and a password"},
	{"WRONGPASS", state.ErrUnavailable, "the user or the password is not right"},
	{"NOPERM", state.ErrUnavailable, "allow the ACL user the keys of the store, and the commands that the documentation lists"},
	{"MOVED", state.ErrUnavailable, "the server is a node of a cluster: say redis+cluster://"},
	{"CROSSSLOT", state.ErrBatch, "the server is a node of a cluster: say redis+cluster://"},
	{"No such master", state.ErrUnavailable, "the path of the URL names a master that the Sentinels do not watch"},
	{"unsupported command", state.ErrUnavailable, "the server is older than Redis 7"},
}

// meaning is the reply of a server as an error of package state.
func (m *Manager) meaning(err error) error {
	if err == nil || rueidis.IsRedisNil(err) {
		return err
	}
	for _, r := range replies {
		if strings.Contains(err.Error(), r.head) {
			return fmt.Errorf("%w: %s: %w: %s", r.is, m.target.shown, err, r.mend)
		}
	}
	return fmt.Errorf("state/redis: %s: %w", m.target.shown, err)
}

// foreign is the error of a key under which there is something else.
func foreign(key, found string) error {
	return fmt.Errorf("%w: under key %.80q redis has %s: delete or rename it, or give the store another name (Options.Name)", state.ErrForeign, key, found)
}
