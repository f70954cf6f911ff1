package config

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ingot-run/ingot/forge/expression"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/internal/yamlfile"
)

// scope is the names that templates may use.
type scope struct {
	of    string // who has them, for errors
	what  string // what they are
	names []string
	keys  *[]string // of the state, that templates show; nil: they may show none
}

// The names that templates and expressions have beside those of parameters and
// variables, which hide them.
const (
	inputName = "input"
	stateName = "state"
)

func scopeOf(of string, names []string) scope {
	what := "parameter"
	switch of {
	case ofURI:
		what = "variable"
	case ofPrompt:
		what = "argument"
	}
	return scope{of: of, what: what, names: names}
}

// stateKey notes the key of the state that a path of a template shows, and says whether
// it is such a path.
func (l *loader) stateKey(path []string, at Pos, in scope) bool {
	if in.keys == nil || path[0] != stateName || slices.Contains(in.names, stateName) {
		return false
	}
	if len(path) < 2 {
		l.Note(at, "the state is shown key by key, as {{state.counter}}; other keys, as those with a slash, are for expressions: state[\"a/b\"]")
	} else if !slices.Contains(*in.keys, path[1]) {
		*in.keys = append(*in.keys, path[1])
	}
	return true
}

// Who has names beside the tools.
const (
	ofURI    = "the URI"
	ofPrompt = "the prompt"
)

// template checks the text of a template.
func (l *loader) template(text string, at Pos, names scope) {
	if !strings.Contains(text, "{{") {
		return
	}
	t, err := template.Parse(text)
	if err != nil {
		l.Note(at, "not a template: %v", err)
		return
	}
	for _, path := range t.Paths() {
		if !slices.Contains(names.names, path[0]) && !l.stateKey(path, at, names) {
			l.Note(at, "%s has no %s %q for {{%s}}%s", names.of, names.what, path[0], strings.Join(path, "."), l.nearest(path[0], names.names))
		}
	}
}

// nearest is yamlfile.Nearest, where the problem will be read.
func (l *loader) nearest(name string, names []string) string {
	if l.Full() {
		return ""
	}
	return yamlfile.Nearest(name, names)
}

// unknownName is how an expression's error begins whose name nobody has.
var unknownName = regexp.MustCompile(`^unknown name (\S+)`)

// expression checks an expression.
func (l *loader) expression(source string, at Pos, names scope) {
	_, err := expression.Compile(source, names.names)
	if err == nil {
		return
	}
	guess := ""
	if m := unknownName.FindStringSubmatch(err.Error()); m != nil {
		guess = strings.Replace(l.nearest(m[1], names.names), ": it has ", "; the names are ", 1)
	} else if strings.Contains(source, "{{") {
		guess = ": names stand in expressions without braces"
		if len(source) < 80 {
			guess += ", as " + strings.NewReplacer("{{", "", "}}", "").Replace(source)
		}
	}
	l.Note(at, "not an expression: %v%s", err, guess)
}

// jsonTemplates checks the texts of a JSON value.
func (l *loader) jsonTemplates(v rawJSON, at Pos, names scope) {
	if v == nil {
		return
	}
	var parsed any
	if json.Unmarshal(v, &parsed) != nil {
		return // it was written by this package: numbers beyond float64 end here
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			l.template(v, at, names)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(v[k])
			}
		}
	}
	walk(parsed)
}

// checkAll checks what spans objects and files.
func (l *loader) checkAll() {
	c := l.config
	byName := map[string]*Tool{}
	for i := range c.Tools {
		t := &c.Tools[i]
		if first, twice := byName[t.Name]; twice && t.Name != "" {
			l.Note(t.At("name"), "the tool %q is named twice, first at %s", t.Name, first.At("name"))
			continue
		}
		byName[t.Name] = t
	}
	unique(l, c.Prompts, "prompt", func(p *Prompt) (string, Pos) { return p.Name, p.At("name") })
	unique(l, c.Resources, "resource", func(r *Resource) (string, Pos) {
		if r.Place.Has("uri") {
			return r.URITemplate, r.At("uri")
		}
		return r.URITemplate, r.At("uri_template")
	})
	for i := range c.Tools {
		if !c.Tools[i].Hidden {
			l.inferParams(&c.Tools[i], byName)
		}
	}
	for i := range c.Tools {
		l.addHandle(&c.Tools[i])
	}
	for i := range c.Tools {
		if !c.Tools[i].broken {
			l.checkTool(&c.Tools[i])
			l.checkToolState(&c.Tools[i])
		}
	}
	l.checkWriteTool(byName)
	l.checkShown()
	l.checkPipelines(byName)
	names := l.toolNames()
	l.checkTests(c.Tests, byName)
	l.checkFallbacks(c.Middleware, names, byName)
	for i := range c.Tools {
		l.checkFallbacks(c.Tools[i].Middleware, names, byName)
	}
}

// WriteTool is the name of the tool by which resources are written.
const WriteTool = "resource_write"

// checkWriteTool finds a tool in the place of that by which resources are written.
func (l *loader) checkWriteTool(byName map[string]*Tool) {
	t := byName[WriteTool]
	for i := range l.config.Resources {
		if r := &l.config.Resources[i]; t != nil && r.Write {
			l.Note(t.At("name"), "the name %s is taken: by that tool clients write resources, such as that at %s", WriteTool, r.Pos)
			return
		}
	}
}

// checkTests checks that the tools of tests are there.
func (l *loader) checkTests(tests []Test, byName map[string]*Tool) {
	names := l.toolNames()
	for i := range tests {
		t := &tests[i]
		l.known(t.Tool, t.At("tool"), "the test's tool", names, byName)
		if t.Input != nil && t.Input[0] != '{' {
			l.Note(t.At("input"), "the input of a test has to be a mapping of arguments, not %s", jsonType(t.Input))
		}
	}
}

// unique finds names that stand twice in a list.
func unique[T any](l *loader, all []T, what string, name func(*T) (string, Pos)) {
	seen := map[string]Pos{}
	for i := range all {
		n, at := name(&all[i])
		if n == "" {
			continue // told
		}
		if first, twice := seen[n]; twice {
			l.Note(at, "the %s %q is named twice, first at %s", what, n, first)
			continue
		}
		seen[n] = at
	}
}

// toolNames are the names that a tool may be called by.
func (l *loader) toolNames() (names []string) {
	for i := range l.config.Tools {
		if t := &l.config.Tools[i]; t.Name != "" && !t.Hidden {
			names = append(names, t.Name)
		}
	}
	return names
}

// known checks that there is such a tool. A module of WebAssembly serves tools under
// names of its own: beside one, a name that is not known here may be of it.
func (l *loader) known(name string, at Pos, what string, names []string, byName map[string]*Tool) {
	if byName[name] != nil || name == "" || l.incomplete {
		return
	}
	if l.modules {
		return
	}
	guess := l.nearest(name, names)
	if guess != "" && yamlfile.Closest(name, names) == "" {
		guess = "; the tools are " + strings.Join(names[:min(len(names), 20)], ", ")
	}
	l.Note(at, "%s, %q, is not among the tools%s", what, name, guess)
}

func (l *loader) checkFallbacks(all []Middleware, names []string, byName map[string]*Tool) {
	for _, m := range all {
		if m.Fallback == nil {
			continue
		}
		for i := range m.Fallback.Alternatives {
			a := &m.Fallback.Alternatives[i]
			l.known(a.Tool, a.At("tool"), "the fallback's tool", names, byName)
		}
	}
}

// inferParams finds the parameters of a cli or http tool that names none, and gives
// a tool's parameters to its hidden fallbacks that name none: they are called with the
// same arguments.
func (l *loader) inferParams(t *Tool, byName map[string]*Tool) {
	if !t.Place.Has("params") && !t.Hidden && (t.Kind == KindCLI || t.Kind == KindHTTP) {
		t.Params = placeholders(templatesOf(t))
	}
	for _, m := range t.Middleware {
		if m.Fallback == nil {
			continue
		}
		for _, a := range m.Fallback.Alternatives {
			if below := byName[a.Tool]; below != nil && below.Hidden && !below.Place.Has("params") {
				below.Params = t.Params
				l.inferParams(below, byName)
			}
		}
	}
}

// checkTool checks a tool's templates.
func (l *loader) checkTool(t *Tool) {
	names := make([]string, len(t.Params))
	for i, p := range t.Params {
		names[i] = p.Name
	}
	in := scopeOf("the tool "+t.Name, names)
	in.keys = &t.StateKeys
	switch t.Kind {
	case KindNative:
		if t.Native.Inline != "" {
			in.names = withInput(names)
			l.expression(t.Native.Inline, t.At("handler"), in)
		}
	case KindCLI:
		for i, a := range t.CLI.Args {
			l.template(a, t.At("args["+strconv.Itoa(i)+"]"), in)
		}
		for _, k := range slices.Sorted(maps.Keys(t.CLI.Env)) {
			l.template(t.CLI.Env[k], t.At("env."+k), in)
		}
	case KindHTTP:
		l.checkHTTP(t.HTTP, &t.Place, "endpoint", in)
	case KindPipeline:
		in.names = withInput(names)
		l.pipelineScope(t, in)
	}
}

// withInput are the names of parameters, and the one for all of them together.
func withInput(names []string) []string {
	if slices.Contains(names, inputName) {
		return names
	}
	return append(slices.Clip(names), inputName)
}

// templatesOf are the texts of a cli or http tool that may have placeholders.
func templatesOf(t *Tool) (all []string) {
	switch {
	case t.CLI != nil:
		all = append(all, t.CLI.Args...)
		for _, k := range slices.Sorted(maps.Keys(t.CLI.Env)) {
			all = append(all, t.CLI.Env[k])
		}
	case t.HTTP != nil:
		all = append(all, t.HTTP.Endpoint)
		for _, m := range []map[string]string{t.HTTP.Query, t.HTTP.Headers} {
			for _, k := range slices.Sorted(maps.Keys(m)) {
				all = append(all, m[k])
			}
		}
		all = append(all, t.HTTP.BodyText, string(t.HTTP.Body))
	}
	return all
}

// placeholders makes a parameter of each placeholder: pforge's files name none for cli
// and http tools. Each is a text that a call has to have.
func placeholders(texts []string) (params []Param) {
	for _, text := range texts {
		t, err := template.Parse(text)
		if err != nil {
			continue // told later
		}
		for _, path := range t.Paths() {
			if len(path) > 1 && path[0] == stateName {
				continue // what the state holds
			}
			if !slices.ContainsFunc(params, func(p Param) bool { return p.Name == path[0] }) {
				params = append(params, Param{Name: path[0], Type: "string", Required: true})
			}
		}
	}
	return params
}

// pipelineScope checks the templates and conditions of steps: each may use the
// arguments and what steps before it gave.
func (l *loader) pipelineScope(t *Tool, in scope) {
	in.what = "parameter, or variable of a step before,"
	in.names = l.stepsScope(t.Pipeline.Steps, in)
	l.jsonTemplates(t.Pipeline.Output, t.At("output"), in)
	if n := stepCount(t.Pipeline.Steps); n > StepsMax {
		l.Note(t.At("steps"), "the pipeline has %d steps, at most %d are run", n, StepsMax)
	}
	if len(t.Pipeline.Steps) == 0 {
		l.Note(t.At("steps"), "a pipeline needs at least one step")
	}
}

func stepCount(steps []Step) (n int) {
	for i := range steps {
		n += 1 + stepCount(steps[i].Parallel)
	}
	return n
}

// stepsScope checks steps and returns the names that stand behind them.
func (l *loader) stepsScope(steps []Step, in scope) []string {
	for i := range steps {
		s := &steps[i]
		at := s.At("input")
		if s.Place.Has("params") {
			at = s.At("params")
		}
		l.jsonTemplates(s.Input, at, in)
		if s.Condition != "" {
			l.expression(s.Condition, s.At("condition"), in)
		}
		if s.InputFrom != "" && !slices.Contains(in.names, s.InputFrom) {
			l.Note(s.At("input_from"), "there is no variable %q before this step%s", s.InputFrom, l.nearest(s.InputFrom, in.names))
		}
		behind := in.names
		for j := range s.Parallel { // which do not see one another
			behind = append(behind, l.stepsScope(s.Parallel[j:j+1], in)[len(in.names):]...)
		}
		if s.OutputVar != "" {
			key := "output_var"
			if s.Place.Has("output_key") {
				key = "output_key"
			}
			if !yamlfile.IsVariable(s.OutputVar) {
				l.Note(s.At(key), "%q is no name of a variable: letters, digits and _, no digit first", s.OutputVar)
			}
			behind = append(slices.Clip(behind), s.OutputVar)
		}
		in.names = behind
	}
	return in.names
}

// checkPipelines finds steps without a tool, and pipelines that lead to themselves.
func (l *loader) checkPipelines(byName map[string]*Tool) {
	names := l.toolNames()
	state := map[*Tool]int{} // 1: being looked at, 2: done
	var visit func(t *Tool, path []string)
	var steps func(all []Step, path []string)
	steps = func(all []Step, path []string) {
		for i := range all {
			s := &all[i]
			steps(s.Parallel, path)
			if s.Tool == "" {
				continue
			}
			next := byName[s.Tool]
			l.known(s.Tool, s.At("tool"), "the step's tool", names, byName)
			if next == nil || next.Pipeline == nil {
				continue
			}
			if state[next] == 1 {
				l.Note(s.At("tool"), "the pipeline leads to itself: %s", strings.Join(append(path[slices.Index(path, s.Tool):], s.Tool), " → "))
				continue
			}
			visit(next, path)
		}
	}
	visit = func(t *Tool, path []string) {
		if state[t] != 0 {
			return
		}
		state[t] = 1
		steps(t.Pipeline.Steps, append(slices.Clip(path), t.Name))
		state[t] = 2
	}
	for i := range l.config.Tools {
		if t := &l.config.Tools[i]; t.Pipeline != nil {
			visit(t, nil)
		}
	}
}
