package clitool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/mcp"
)

// Bounds of a call.
const (
	argumentsMax     = 10_000    // after arrays were spread out
	argumentBytesMax = 128 << 10 // of one, as Linux bounds them
	reportBytesMax   = 4 << 10   // of a program's own words in an error
	runningMax       = 64        // programs of one tool at once
)

// timeDefault bounds a call that has no deadline of its own.
const timeDefault = 5 * time.Minute

// pathDefault is PATH where the server has none.
const pathDefault = "/usr/local/bin:/usr/bin:/bin"

// tool is a program that is called.
type tool struct {
	name     string
	program  string
	cwd      string
	args     []*template.Template
	env      []variable
	passed   []string // NAME=VALUE, taken when the tool is made
	numbers  map[string]bool
	options  config.CLI
	object   bool // answers are JSON objects
	secrets  config.Secrets
	timeMax  time.Duration // of a call that has no deadline
	starting chan struct{} // one element for each program that runs
}

type variable struct {
	name  string
	value *template.Template
}

// New makes the handler of a tool of the kind cli. It fails when the program or its
// working directory is not there, or a template is wrong.
func New(t *config.Tool, secrets config.Secrets) (mcp.Handler, error) {
	return newTool(t, secrets, timeDefault)
}

func newTool(t *config.Tool, secrets config.Secrets, timeMax time.Duration) (mcp.Handler, error) {
	c := *t.CLI
	program, err := exec.LookPath(c.Command)
	if err != nil {
		return nil, fmt.Errorf("tool %s: the program %q is not there: install it, or name it by its path: %w", t.Name, c.Command, err)
	}
	if c.Cwd != "" {
		if info, err := os.Stat(c.Cwd); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("tool %s: cwd: there is no folder %s: make it, or name another", t.Name, c.Cwd)
		}
	}
	made := &tool{
		name: t.Name, program: program, cwd: c.Cwd, options: c, object: len(t.OutputSchema) > 0, secrets: secrets,
		numbers: numbersOf(t.Params), timeMax: timeMax, starting: make(chan struct{}, runningMax),
	}
	for i, text := range c.Args {
		parsed, err := template.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("tool %s: args[%d]: %w", t.Name, i, err)
		}
		made.args = append(made.args, parsed)
	}
	for name, text := range c.Env {
		parsed, err := template.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("tool %s: env.%s: %w", t.Name, name, err)
		}
		made.env = append(made.env, variable{name, parsed})
	}
	slices.SortFunc(made.env, func(a, b variable) int { return strings.Compare(a.name, b.name) })
	made.passed = passedOn(c.PassEnv)
	return made.call, nil
}

// passedOn are the server's variables that a program gets.
func passedOn(names []string) []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = pathDefault
	}
	passed := []string{"PATH=" + path}
	for _, name := range names {
		if value, set := os.LookupEnv(name); set {
			passed = append(passed, name+"="+value)
		}
	}
	return passed
}

// numbersOf are the parameters whose values may begin with a minus sign.
func numbersOf(params []config.Param) map[string]bool {
	numbers := map[string]bool{}
	for _, p := range params {
		of := p.Type
		if of == "array" && p.Items != nil {
			of = p.Items.Type
		}
		if of == "integer" || of == "number" {
			numbers[p.Name] = true
		}
	}
	return numbers
}

// call is the tool's mcp.Handler.
func (t *tool) call(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
	values, err := template.ReadValues(r.Arguments)
	if err != nil {
		return nil, fault.Because(err, fault.InvalidInput, "%v", err)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.timeMax)
		defer cancel()
	}
	args, err := t.arguments(values)
	if err != nil {
		return nil, err
	}
	env, err := t.environment(values)
	if err != nil {
		return nil, err
	}
	select {
	case t.starting <- struct{}{}:
		defer func() { <-t.starting }() // partner: the send
	case <-ctx.Done():
		return nil, fault.Because(ctx.Err(), fault.ClassOf(ctx.Err()), "%s was still waiting for one of %d programs of this tool to end", t.name, runningMax)
	}
	run := &run{tool: t, args: args, env: env}
	if t.options.Stream {
		run.report = reporter(ctx, r.Call())
	}
	if err := run.do(ctx); err != nil {
		return nil, err
	}
	return t.result(run)
}

// reporter sends output as progress while the program runs.
func reporter(ctx context.Context, call *mcp.Call) func(sent int, text string) {
	return func(sent int, text string) {
		_ = call.Progress(ctx, &mcp.Progress{Progress: float64(sent), Message: text}) // a client that is gone ends the call
	}
}

// arguments renders the command line.
func (t *tool) arguments(values template.Values) ([]string, error) {
	var args []string
	behindDashes := false
	for _, parsed := range t.args {
		rendered, err := t.argument(parsed, values, behindDashes)
		if err != nil {
			return nil, err
		}
		if text, plain := parsed.Plain(); plain && text == "--" {
			behindDashes = true
		}
		if args = append(args, rendered...); len(args) > argumentsMax {
			return nil, fault.New(fault.InvalidInput, "the call makes more than %d arguments of %s", argumentsMax, t.options.Command)
		}
	}
	for _, a := range args {
		if len(a) > argumentBytesMax {
			return nil, fault.New(fault.InvalidInput, "an argument of %s has %d bytes, at most %d are possible: give it as a file", t.options.Command, len(a), argumentBytesMax)
		}
		if strings.ContainsRune(a, 0) {
			return nil, fault.New(fault.InvalidInput, "an argument of %s has a zero byte in it, which no program can be given", t.options.Command)
		}
	}
	return args, nil
}

// argument renders one template: to one argument, or where it is a single
// placeholder to as many as there are values.
func (t *tool) argument(parsed *template.Template, values template.Values, behindDashes bool) ([]string, error) {
	path, sole := parsed.Sole()
	texts := []string{""}
	if sole {
		spread, err := spread(values, path)
		if err != nil {
			return nil, err
		}
		texts = spread
	} else {
		text, err := parsed.Text(values, nil)
		if err != nil {
			return nil, fault.Because(err, fault.InvalidInput, "%v", err)
		}
		texts[0] = text
	}
	if leading, ok := parsed.Leading(); ok && !behindDashes {
		for _, text := range texts {
			if strings.HasPrefix(text, "-") && !(t.numbers[leading[0]] && len(text) > 1 && text[1] >= '0' && text[1] <= '9') {
				return nil, fault.New(fault.InvalidInput, "the value of %q begins with \"-\", which %s would take for an option; the tool's owner can put \"--\" in front of it in args", strings.Join(leading, "."), t.options.Command)
			}
		}
	}
	return texts, nil
}

// spread is the texts of a value: of an array its elements, of nothing none.
func spread(values template.Values, path []string) ([]string, error) {
	value, err := values.Find(path)
	if err != nil {
		return nil, fault.Because(err, fault.InvalidInput, "%v", err)
	}
	elements := []json.RawMessage{json.RawMessage(value)}
	switch value.Kind() {
	case 0, 'n':
		return nil, nil
	case '[':
		if err := json.Unmarshal(value, &elements); err != nil {
			return nil, fault.Because(err, fault.InvalidInput, "reading an array: %v", err)
		}
	}
	texts := make([]string, len(elements))
	for i, e := range elements {
		if texts[i], err = template.Text([]byte(e)); err != nil {
			return nil, fault.Because(err, fault.InvalidInput, "%v", err)
		}
	}
	return texts, nil
}

// environment renders the variables.
func (t *tool) environment(values template.Values) ([]string, error) {
	env := slices.Clone(t.passed)
	for _, v := range t.env {
		text, err := v.value.Text(values, nil)
		if err != nil {
			return nil, fault.Because(err, fault.InvalidInput, "%v", err)
		}
		if strings.ContainsRune(text, 0) {
			return nil, fault.New(fault.InvalidInput, "the variable %s would have a zero byte in it, which no program can be given", v.name)
		}
		env = append(env, v.name+"="+text)
	}
	return env, nil
}

// answer is the structured content of a call.
type answer struct {
	Stdout   string `json:"stdout"`
	Stderr   string `json:"stderr"`
	ExitCode int    `json:"exit_code"`
}

// result makes the answer of what a program did.
func (t *tool) result(r *run) (*mcp.CallResult, error) {
	stdout, stderr := r.stdout.text(), r.stderr.text()
	if !slices.Contains(t.options.SuccessCodes, r.exitCode) {
		return nil, fault.New(fault.Failed, "%s ended with exit code %d%s", t.options.Command, r.exitCode, t.said(stdout, stderr))
	}
	if t.object {
		object := strings.TrimSpace(stdout)
		if !strings.HasPrefix(object, "{") || !json.Valid([]byte(object)) {
			return nil, fault.New(fault.Failed, "%s did not print the JSON object that its output schema promises%s", t.options.Command, t.said(stdout, stderr))
		}
		return mcp.StructuredJSON([]byte(object)), nil
	}
	result, err := mcp.StructuredResult(answer{stdout, stderr, r.exitCode})
	if err != nil {
		return nil, fault.Because(err, fault.Internal, "the output of %s cannot be written as JSON", t.options.Command)
	}
	result.Content = mcp.TextResult(stdout).Content
	return result, nil
}

// said is a program's own words for an error, with the secrets taken out.
func (t *tool) said(stdout, stderr string) string {
	words := strings.TrimSpace(stderr)
	if words == "" {
		words = strings.TrimSpace(stdout)
	}
	if words == "" {
		return ""
	}
	words = t.secrets.Redact(words) // before it is cut: half a secret is not found
	if len(words) > reportBytesMax {
		words = "…" + strings.ToValidUTF8(words[len(words)-reportBytesMax:], "")
	}
	return ": " + words
}

// unstarted words why a program could not be started.
func (t *tool) unstarted(err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist) && t.cwd != "":
		return fault.Because(err, fault.Unavailable, "%s could not be started: it, or its folder %s, is not there any more", t.options.Command, t.cwd)
	case errors.Is(err, os.ErrPermission):
		return fault.Because(err, fault.Denied, "%s may not be started by this server", t.options.Command)
	default:
		return fault.Because(err, fault.Unavailable, "%s could not be started: %v", t.options.Command, err)
	}
}
