package expression

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm/runtime"
)

// The language has loops: predicates that run for each element. What follows puts a
// counter into each of them, and into what may take long inside, so that no value
// makes a run longer than stepsMax. Names with a NUL cannot be written by anyone.
const (
	nameRun    = "\x00run"  // the counter, in the environment
	nameAll    = "\x00all"  // what $env stands for
	nameStep   = "\x00step" // functions
	nameAdd    = "\x00add"
	nameSub    = "\x00subtract"
	nameMul    = "\x00multiply"
	nameState  = "\x00state"
	stepWeight = 64 // bytes of a text, or elements of a list, that count as a step
)

// run is one evaluation.
type run struct {
	ctx   context.Context
	steps int
	reads int // of the state
}

var errSteps = fmt.Errorf("it takes more than %d steps: give it less to look at", stepsMax)

// spend counts steps.
func (r *run) spend(steps int) error {
	if r.steps += steps; r.steps > stepsMax {
		return errSteps
	}
	if r.steps%1024 < steps {
		return r.ctx.Err()
	}
	return nil
}

// weight is how many steps it takes to look at a value.
func weight(v any) int {
	switch v := v.(type) {
	case string:
		return 1 + len(v)/stepWeight
	case []any:
		return 1 + len(v)
	case []int:
		return 1 + len(v)
	case []string:
		return 1 + len(v)
	case map[string]any:
		return 1 + len(v)
	}
	return 1
}

// bounder is an ast.Visitor: it visits what a node holds before the node.
type bounder struct {
	used       map[string]bool
	stateTaken bool // a value is called state
	bareState  int  // how often state stands without a key
	problem    error
}

// Visit counts the names and puts in what is counted while it runs.
func (b *bounder) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			ast.Patch(node, &ast.IdentifierNode{Value: nameAll})
			b.used[nameAll] = true
		}
		b.used[n.Value] = true
		if n.Value == nameOfState && !b.stateTaken {
			b.bareState++
		}
	case *ast.MemberNode:
		b.stateRead(node, n)
	case *ast.PredicateNode:
		ast.Walk(&n.Node, inside{})
		if !isOurs(n.Node, nameStep) {
			n.Node = ours(nameStep, n.Node)
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "+":
			ast.Patch(node, ours(nameAdd, n.Left, n.Right))
		case "-":
			ast.Patch(node, ours(nameSub, n.Left, n.Right))
		case "*":
			ast.Patch(node, ours(nameMul, n.Left, n.Right))
		case "matches":
			if _, constant := n.Right.(*ast.StringNode); !constant {
				b.problem = errors.New("the pattern of matches has to stand in the expression itself, in quotes")
			}
		}
	}
}

// inside is an ast.Visitor of a predicate's body: what looks at whole texts and lists
// counts them.
type inside struct{}

// Visit wraps operands and arguments.
func (inside) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		switch n.Operator {
		case "in", "not in", "contains", "startsWith", "endsWith", "matches", "==", "!=", "<", ">", "<=", ">=":
			wrap(&n.Left)
			if n.Operator != "matches" {
				wrap(&n.Right)
			}
		}
	case *ast.BuiltinNode:
		for i := range n.Arguments {
			wrap(&n.Arguments[i])
		}
	}
}

func wrap(node *ast.Node) {
	switch (*node).(type) {
	case *ast.PredicateNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode, *ast.StringNode, *ast.ConstantNode:
		return
	}
	if !isOurs(*node, nameStep) {
		*node = ours(nameStep, *node)
	}
}

func ours(name string, arguments ...ast.Node) ast.Node {
	return &ast.CallNode{
		Callee:    &ast.IdentifierNode{Value: name},
		Arguments: append([]ast.Node{&ast.IdentifierNode{Value: nameRun}}, arguments...),
	}
}

func isOurs(node ast.Node, name string) bool {
	call, ok := node.(*ast.CallNode)
	if !ok {
		return false
	}
	callee, ok := call.Callee.(*ast.IdentifierNode)
	return ok && callee.Value == name
}

// functions are those that the language gets from us.
var functions = map[string]func(args ...any) (any, error){
	nameStep:  func(args ...any) (any, error) { return args[1], args[0].(*run).spend(weight(args[1])) },
	nameAdd:   add,
	nameSub:   subtract,
	nameMul:   multiply,
	nameState: readState,
	"string":  toText,
	"toJSON":  toText,
	"join":    join,
}

// add sums numbers and joins texts.
func add(args ...any) (any, error) {
	switch a := args[1].(type) {
	case int:
		if b, ok := args[2].(int); ok {
			if sum := a + b; (sum > a) == (b > 0) {
				return sum, nil
			}
			return float64(a) + float64(b), nil
		}
	case string:
		if b, ok := args[2].(string); ok {
			if len(a)+len(b) > textBytesMax {
				return nil, fmt.Errorf("a text would have more than %d bytes", textBytesMax)
			}
			return a + b, args[0].(*run).spend(1 + (len(a)+len(b))/stepWeight)
		}
	}
	return runtime.Add(args[1], args[2]), nil
}

func subtract(args ...any) (any, error) {
	a, isInt := args[1].(int)
	b, bothInt := args[2].(int)
	if isInt && bothInt {
		if difference := a - b; (difference < a) == (b > 0) {
			return difference, nil
		}
		return float64(a) - float64(b), nil
	}
	return runtime.Subtract(args[1], args[2]), nil
}

func multiply(args ...any) (any, error) {
	a, isInt := args[1].(int)
	b, bothInt := args[2].(int)
	if isInt && bothInt {
		product := a * b
		if a == 0 || b == 0 || product/b == a && !(a == math.MinInt && b == -1) && !(b == math.MinInt && a == -1) {
			return product, nil
		}
		return float64(a) * float64(b), nil
	}
	return runtime.Multiply(args[1], args[2]), nil
}

// toText is a text as it is, and anything else as JSON.
func toText(args ...any) (any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("it takes one value, not %d", len(args))
	}
	if text, ok := args[0].(string); ok {
		return text, nil
	}
	out, err := appendJSON(nil, args[0], 0)
	return string(out), err
}

// join joins a list's texts.
func join(args ...any) (any, error) {
	if len(args) < 1 || len(args) > 2 {
		return nil, fmt.Errorf("join takes a list and a text to put between, not %d values", len(args))
	}
	between := ""
	if len(args) == 2 {
		text, ok := args[1].(string)
		if !ok {
			return nil, fmt.Errorf("join puts a text between, not a value of type %s", typeOf(args[1]))
		}
		between = text
	}
	var out strings.Builder
	err := eachOf(args[0], func(i int, v any) error {
		text, err := toText(v)
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteString(between)
		}
		out.WriteString(text.(string))
		if out.Len() > textBytesMax {
			return fmt.Errorf("a text would have more than %d bytes", textBytesMax)
		}
		return nil
	})
	return out.String(), err
}
