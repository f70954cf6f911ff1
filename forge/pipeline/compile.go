package pipeline

import (
	"fmt"
	"slices"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/expression"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/mcp"
)

// Bounds of a pipeline.
const (
	depthMax      = 16       // pipelines within pipelines
	parallelMax   = 16       // that run at once in one group; the others wait
	inputBytesMax = 4 << 20  // of one step's arguments, and of the output
	valueBytesMax = 16 << 20 // of one step's answer
	totalBytesMax = 64 << 20 // of all variables of one call
	reportMax     = 4 << 10  // bytes of a step's words in an error
)

// The variables that are there by themselves, unless a parameter or a step's has the
// name.
const (
	nameInput = "input" // all arguments
	nameState = "state" // what the tool sees of the state, key by key
)

// pipeline is a compiled pipeline.
type pipeline struct {
	name    string
	steps   []*step
	count   int
	output  *template.Tree // nil: what the last step answered
	shows   []string       // keys of the state that output shows
	input   bool           // the arguments together are the variable input
	object  bool           // answers are JSON objects
	lookup  func(name string) (mcp.Handler, bool)
	secrets config.Secrets
}

// step is a compiled step: a call of tool, or steps that run at once.
type step struct {
	label     string // such as step 2
	tool      string
	input     *template.Tree // nil: none
	shows     []string       // keys of the state that input shows
	inputFrom string
	outputVar string
	condition *expression.Expression // nil: always
	goesOn    bool                   // past an error
	timeout   time.Duration          // 0: none of its own
	parallel  []*step
}

// New makes the handler of a tool of the kind pipeline. lookup finds the tools of the
// steps. The error says which step has a mistake.
func New(tool *config.Tool, lookup func(name string) (mcp.Handler, bool), secrets config.Secrets) (mcp.Handler, error) {
	p := &pipeline{name: tool.Name, lookup: lookup, secrets: secrets, object: len(tool.OutputSchema) > 0}
	var names []string
	for _, param := range tool.Params {
		names = append(names, param.Name)
	}
	if !slices.Contains(names, nameInput) {
		names, p.input = append(names, nameInput), true
	}
	var err error
	if p.steps, names, err = p.compile(tool.Pipeline.Steps, names, "step ", false); err != nil {
		return nil, fmt.Errorf("tool %s: %w", tool.Name, err)
	}
	if len(tool.Pipeline.Output) > 0 {
		if p.output, err = template.ParseTree(tool.Pipeline.Output); err != nil {
			return nil, fmt.Errorf("tool %s: output: %w", tool.Name, err)
		}
		p.shows = shown(p.output, names)
	}
	return p.call, nil
}

// compile compiles a list of steps and returns the names of the variables behind it.
// In a group that runs at once, no step sees the variables of another.
func (p *pipeline) compile(list []config.Step, names []string, prefix string, atOnce bool) (steps []*step, after []string, err error) {
	after = names
	for i := range list {
		visible := after
		if atOnce {
			visible = names
		}
		s, err := p.compileStep(&list[i], visible, fmt.Sprintf("%s%d", prefix, i+1))
		if err != nil {
			return nil, nil, err
		}
		steps = append(steps, s)
		after = append(after[:len(after):len(after)], s.variables()...)
	}
	return steps, after, nil
}

func (p *pipeline) compileStep(c *config.Step, names []string, label string) (_ *step, err error) {
	s := &step{
		label: label, tool: c.Tool, inputFrom: c.InputFrom, outputVar: c.OutputVar,
		goesOn: c.ErrorPolicy == config.ErrorContinue, timeout: c.Timeout,
	}
	if c.Condition != "" {
		if s.condition, err = expression.Compile(c.Condition, names); err != nil {
			return nil, fmt.Errorf("%s: condition: %w", label, err)
		}
	}
	if len(c.Parallel) > 0 {
		s.parallel, _, err = p.compile(c.Parallel, names, label+".", true)
		return s, err
	}
	if len(c.Input) > 0 {
		if s.input, err = template.ParseTree(c.Input); err != nil {
			return nil, fmt.Errorf("%s: input: %w", label, err)
		}
		s.shows = shown(s.input, names)
	}
	if p.count++; p.count > config.StepsMax {
		return nil, fmt.Errorf("%s: a pipeline has at most %d steps", label, config.StepsMax)
	}
	s.label = fmt.Sprintf("%s (%s)", label, c.Tool)
	return s, nil
}

// shown are the keys of the state that the texts of a tree show, where no variable is
// called state.
func shown(t *template.Tree, names []string) (keys []string) {
	if slices.Contains(names, nameState) {
		return nil
	}
	for _, path := range t.Paths() {
		if path[0] == nameState && len(path) > 1 && !slices.Contains(keys, path[1]) {
			keys = append(keys, path[1])
		}
	}
	return keys
}

// variables are the names that a step sets.
func (s *step) variables() (names []string) {
	if s.outputVar != "" {
		names = append(names, s.outputVar)
	}
	for _, inner := range s.parallel {
		names = append(names, inner.variables()...)
	}
	return names
}
