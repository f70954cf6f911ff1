package expression

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/expr-lang/expr/ast"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// stateReadsMax bounds how often one run reads the state.
const stateReadsMax = 100

// nameOfState is what the state is called in expressions, where no value has that name.
const nameOfState = "state"

// State is what expressions read of a state.
type State interface {
	// Read returns the value of a key as JSON; nil where there is none.
	Read(ctx context.Context, key string) (jsontext.Value, error)
}

// stateKey is the key of a context.
type stateKey struct{}

// WithState gives the expressions that run under the context a state.
func WithState(ctx context.Context, s State) context.Context {
	return context.WithValue(ctx, stateKey{}, s)
}

// StateOf returns the context's state; nil when it has none.
func StateOf(ctx context.Context) State {
	s, _ := ctx.Value(stateKey{}).(State)
	return s
}

var errBareState = errors.New(`the state is read key by key, as state.counter or state["user/" + name]`)

// stateRead puts a read of the state in the place of state.KEY and state[KEY].
func (b *bounder) stateRead(node *ast.Node, n *ast.MemberNode) {
	base, ok := n.Node.(*ast.IdentifierNode)
	if !ok || base.Value != nameOfState || b.stateTaken {
		return
	}
	b.bareState--
	ast.Patch(node, ours(nameState, n.Property))
}

// readState is the function that reads the state.
func readState(args ...any) (any, error) {
	r := args[0].(*run)
	key, ok := args[1].(string)
	if n, isInt := args[1].(int); isInt {
		key, ok = strconv.Itoa(n), true
	}
	if !ok {
		return nil, fmt.Errorf("a key of the state is a text, not a value of type %s", typeOf(args[1]))
	}
	if r.reads++; r.reads > stateReadsMax {
		return nil, fmt.Errorf("it reads more than %d keys of the state", stateReadsMax)
	}
	read := StateOf(r.ctx)
	if read == nil {
		return nil, errors.New("there is no state here")
	}
	raw, err := read.Read(r.ctx, key)
	if err != nil || raw == nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(raw, &v, wholeNumbers); err != nil {
		return nil, fmt.Errorf("the state's %q is no value: %w", key, err)
	}
	return v, r.spend(1 + len(raw)/stepWeight)
}
