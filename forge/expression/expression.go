// Package expression evaluates the expressions of a forge.yaml: the conditions of a
// pipeline's steps, and tools that are one expression.
//
// The main type is [Expression]; [Compile] makes one, once, for any number of calls.
//
//	e, err := expression.Compile(`user.age >= 18 and "admin" in roles`, []string{"user", "roles"})
//	values, err := template.ReadValues([]byte(`{"user":{"age":36},"roles":["admin"]}`))
//	ok, err := e.Holds(ctx, values) // true
//
// The language is that of github.com/expr-lang/expr, with the functions named in
// docs/CONFIG.md only. $env holds all values, for names that are no identifiers:
// $env["user-id"]. state.counter and state["user/" + name] read the state of the context
// ([WithState]), unless a value is called state: null where there is no such key.
//
// # Caveats
//
// A text in a value is a text: it is never read as an expression. Whole numbers are
// exact up to 64 bits; where a sum, difference or product leaves them, it becomes a
// floating point number. Each run is bounded in steps and memory, whatever the values.
package expression

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/template"
)

// Bounds of an expression and of one run.
const (
	sourceBytesMax = 16 << 10
	nodesMax       = 1000
	stepsMax       = 1_000_000 // evaluations of predicates, and what they look at
	memoryMax      = 1_000_000 // elements that one run makes
	textBytesMax   = 4 << 20   // of one text, and of the result
)

// Expression is a compiled expression. It is safe for concurrent use.
type Expression struct {
	source  string
	program *vm.Program
	reads   []string // the names that it uses
	readAll bool     // it uses $env
}

// builtins are the functions of the language that give the same answer to the same
// values, and whose work and memory is in proportion to them. (repeat, replace, join
// and toJSON are our own, with a bound; flatten and uniq can be quadratic; now, date
// and timezone ask the machine.)
var builtins = []string{
	"all", "none", "any", "one", "filter", "map", "find", "findIndex", "findLast", "findLastIndex", "count", "sum",
	"groupBy", "sortBy", "reduce", "len", "type", "abs", "ceil", "floor", "round", "int", "float", "trim", "trimPrefix",
	"trimSuffix", "upper", "lower", "split", "splitAfter", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix", "max",
	"min", "mean", "median", "fromJSON", "toBase64", "fromBase64", "first", "last", "get", "take", "keys", "values",
	"toPairs", "fromPairs", "reverse", "concat", "sort",
}

// Compile reads an expression over values of the given names. The error says what is
// wrong and where.
func Compile(source string, names []string) (*Expression, error) {
	if len(source) > sourceBytesMax {
		return nil, fmt.Errorf("the expression has %d bytes, at most %d are allowed", len(source), sourceBytesMax)
	}
	if strings.TrimSpace(source) == "" {
		return nil, errors.New("the expression is empty")
	}
	known := types.Map{nameAll: types.Any, nameRun: types.Any}
	for _, name := range names {
		known[name] = types.Any
	}
	b := &bounder{used: map[string]bool{}, stateTaken: slices.Contains(names, nameOfState)}
	options := []expr.Option{expr.Env(known), expr.MaxNodes(nodesMax), expr.DisableAllBuiltins(), expr.Patch(b)}
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name))
	}
	for name, f := range functions {
		options = append(options, expr.Function(name, f))
	}
	program, err := expr.Compile(source, options...)
	switch {
	case b.bareState > 0:
		err = errBareState
	case err == nil:
		err = b.problem
	}
	if err != nil {
		return nil, errors.New(worded(err))
	}
	e := &Expression{source: source, program: program, readAll: b.used[nameAll]}
	for _, name := range names {
		if b.used[name] {
			e.reads = append(e.reads, name)
		}
	}
	return e, nil
}

// worded makes one line of an error of the language.
func worded(err error) string {
	var at *file.Error
	if errors.As(err, &at) {
		return fmt.Sprintf("%s (line %d, column %d)", at.Message, at.Line, at.Column+1)
	}
	return err.Error()
}

// String is the expression as it was written.
func (e *Expression) String() string { return e.source }

// Run evaluates the expression and returns its value as JSON. Its error is a
// fault.InvalidInput, for the values do not fit the expression, or ctx's.
func (e *Expression) Run(ctx context.Context, values template.Values) (jsontext.Value, error) {
	result, err := e.evaluate(ctx, values)
	if err != nil {
		return nil, err
	}
	out, err := appendJSON(nil, result, 0)
	if err != nil {
		return nil, e.wrong(err)
	}
	return out, nil
}

// Holds evaluates a condition: true, or false, or null, which stands for false.
func (e *Expression) Holds(ctx context.Context, values template.Values) (bool, error) {
	result, err := e.evaluate(ctx, values)
	switch v := result.(type) {
	case bool:
		return v, err
	case nil:
		return false, err
	default:
		return false, fault.New(fault.InvalidInput, "the condition %.200q gave a value of type %s: it has to be true or false", e.source, typeOf(v))
	}
}

func (e *Expression) evaluate(ctx context.Context, values template.Values) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	env := make(map[string]any, len(e.reads)+2)
	for _, name := range e.reads {
		if err := readInto(env, name, values[name]); err != nil {
			return nil, e.wrong(err)
		}
	}
	if e.readAll {
		all := make(map[string]any, len(values))
		for name, value := range values {
			if err := readInto(all, name, value); err != nil {
				return nil, e.wrong(err)
			}
		}
		env[nameAll] = all
	}
	env[nameRun] = &run{ctx: ctx}
	machine := vm.VM{MemoryBudget: memoryMax}
	result, err := machine.Run(e.program, env)
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, e.wrong(err)
}

func (e *Expression) wrong(err error) error {
	return fault.Because(err, fault.InvalidInput, "the expression %.200q cannot be evaluated: %s", e.source, worded(err))
}
