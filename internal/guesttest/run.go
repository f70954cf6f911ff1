package guesttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/schema"
	"github.com/ingot-run/ingot/state"
)

// Options configure a run. The zero value works.
type Options struct {
	// TimeMax is the wall time of one call; 0: 5 seconds.
	TimeMax time.Duration
	// MemoryBytesMax is the memory of an instance; 0: the sandbox's default.
	MemoryBytesMax uint64
	// Config is what an Extism plug-in reads with config_get.
	Config map[string]string
}

// runner tests one module.
type runner struct {
	ctx    context.Context
	o      Options
	file   string
	module []byte
	report *Report
	many   bool   // more than one tool
	cache  string // compiled modules; empty: none are kept
}

// Run tests a module. file is its name in the report. It takes some seconds.
func Run(ctx context.Context, file string, module []byte, o Options) *Report {
	if o.TimeMax == 0 {
		o.TimeMax = 5 * time.Second
	}
	sum := sha256.Sum256(module)
	r := &runner{ctx: ctx, o: o, file: file, module: module,
		report: &Report{File: file, Bytes: len(module), SHA256: hex.EncodeToString(sum[:])}}
	if dir, err := os.MkdirTemp("", "guesttest"); err == nil { // without it compiling takes longer
		r.cache = dir
		defer os.RemoveAll(dir)
	}
	if bytes.HasPrefix(module, []byte("\x00asm\x0d\x00\x01\x00")) {
		r.report.add(Fail, "module", "build a core module: Rust's target wasm32-unknown-unknown, TinyGo's -buildmode=c-shared without -target=wasip2", "it is a component, not a core module")
		return r.report
	}
	s, err := r.load(sandbox.Policy{})
	if err != nil {
		r.loadFailed(err)
		return r.report
	}
	defer s.close()
	info := s.Info()
	r.report.ABI = info.ABI
	r.report.add(Pass, "module", "", "%d functions, %d KiB of memory at the start, compiled within the limits", info.Functions, info.MemoryBytesMin>>10)
	r.size(info)
	r.report.add(Pass, "imports", "", "%s", importList(info.Imports))
	tools := s.Tools()
	r.many = len(tools) > 1
	for _, d := range tools {
		r.report.Tools = append(r.report.Tools, d.Name)
	}
	for _, d := range tools {
		r.tool(s, d)
	}
	r.methods(s)
	return r.report
}

// loaded is a module with a host and a store of its own.
type loaded struct {
	*sandbox.Module
	host  *sandbox.Host
	store *state.Embedded
}

func (s *loaded) close() {
	_ = s.host.Close(context.Background()) // no call runs any more
	_ = s.store.Close()                    // it is memory only
}

// load loads the module with an empty state, under a policy to which the usual
// grants are added.
func (r *runner) load(p sandbox.Policy) (*loaded, error) {
	store, err := state.Open(state.Options{})
	if err != nil {
		return nil, err
	}
	s := &loaded{host: sandbox.New(sandbox.Options{State: store, CacheDir: r.cache}), store: store}
	p.State = []sandbox.StateGrant{{Write: true}}
	p.RandomSeed = []byte("guesttest")
	p.Config = r.o.Config
	p.Limits.TimeMax, p.Limits.LoadTimeMax = r.o.TimeMax, max(r.o.TimeMax, 10*time.Second)
	if p.Limits.MemoryBytesMax == 0 {
		p.Limits.MemoryBytesMax = r.o.MemoryBytesMax
	}
	if s.Module, err = s.host.Load(r.ctx, r.file, r.module, p); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// loadFailed files an error of loading under the check that it belongs to.
func (r *runner) loadFailed(err error) {
	name, detail := "module", err.Error()
	mend := ""
	var e *sandbox.Error
	if errors.As(err, &e) {
		detail = e.Kind.Error() + ": " + e.Detail
		switch {
		case e.Op == "describe":
			name, mend = "description", "docs/ABI.md, \"The description\", has the members"
		case errors.Is(e.Kind, sandbox.ErrABI):
			name, mend = "exports and imports", "docs/ABI.md has the exports of each kind of tool and what may be imported; the SDKs in guest/ write them for you"
		}
	}
	if name == "description" {
		r.report.add(Pass, "exports and imports", "", "they fit one of the ABIs")
	}
	r.report.add(Fail, name, mend, "%s", detail)
}

// sizeMany is a size that few tools need.
const sizeMany = 8 << 20

func (r *runner) size(info sandbox.Info) {
	if info.ModuleBytes > sizeMany {
		r.report.add(Warn, "size", "strip it (Go: -ldflags=\"-s -w\", Rust: strip = true and opt-level = \"s\"), and import less", "the module has %d bytes", info.ModuleBytes)
		return
	}
	r.report.add(Pass, "size", "", "%d bytes", info.ModuleBytes)
}

func importList(imports []sandbox.Import) string {
	if len(imports) == 0 {
		return "none: it can only compute"
	}
	byModule := map[string][]string{}
	var modules []string
	for _, i := range imports {
		if byModule[i.Module] == nil {
			modules = append(modules, i.Module)
		}
		if !slices.Contains(byModule[i.Module], i.Name) {
			byModule[i.Module] = append(byModule[i.Module], i.Name)
		}
	}
	var parts []string
	for _, m := range modules {
		parts = append(parts, m+": "+strings.Join(byModule[m], " "))
	}
	return strings.Join(parts, "; ")
}

// methods asks for what is listed beside tools.
func (r *runner) methods(s *loaded) {
	for _, method := range s.Methods() {
		if !strings.HasSuffix(method, "/list") {
			continue // the others need a name that exists
		}
		if _, err := s.Ask(r.ctx, sandbox.AskRequest{Method: method}); err != nil {
			r.report.add(Fail, method, "docs/ABI.md, \"Extism plug-ins\"", "%v", err)
		} else {
			r.report.add(Pass, method, "", "it answers in the protocol's shape")
		}
	}
}

// tool makes the checks of one tool.
func (r *runner) tool(s *loaded, d sandbox.Description) {
	t := &tester{runner: r, d: d}
	if r.many {
		t.prefix = d.Name + ": "
	}
	t.description()
	if !t.schemas() {
		return
	}
	made, err := makeArguments(d.InputSchema, t.input)
	if err != nil {
		t.add(Fail, "calls", "", "no arguments could be made from the schema: %v", err)
		return
	}
	t.calls(s, made.valid)
	t.wrong(s, made.wrong)
	t.large(s)
	if t.sample == nil {
		t.add(Skip, "repeated calls, memory and fuel", "", "no call was answered")
		return
	}
	t.littleMemory()
	t.leaks(made.valid)
	t.hoards()
	t.fuel()
	t.time(s)
}

// tester tests one tool.
type tester struct {
	*runner
	prefix        string
	d             sandbox.Description
	input, output *schema.Schema
	sample        []byte // arguments that were answered
}

func (t *tester) add(status Status, name, mend, format string, args ...any) {
	t.report.add(status, t.prefix+name, mend, format, args...)
}

// call calls the tool.
func (t *tester) call(s *loaded, args []byte) (sandbox.Result, error) {
	return s.Call(t.ctx, sandbox.CallRequest{Tool: t.d.Name, Arguments: args})
}

// description checks what the sandbox takes and a model would miss.
func (t *tester) description() {
	var missing []string
	var root rule
	_ = json.Unmarshal(t.d.InputSchema, &root) // schemas says what is wrong with it
	for name, raw := range propertiesOf(t.d.InputSchema) {
		if raw.Description == "" {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	switch {
	case len(missing) > 0:
		t.add(Warn, "description", "describe each argument in a few words: a model fills them in by that", "no description of %s", strings.Join(missing, ", "))
	case len(t.d.Description) < 20:
		t.add(Warn, "description", "say in a sentence what the tool does and when to use it", "it is only %q", t.d.Description)
	default:
		t.add(Pass, "description", "", "name, description and arguments are described")
	}
}

// described is a property of a schema.
type described struct {
	Description string `json:"description"`
	Ref         string `json:"$ref"`
}

// UnmarshalJSON lets a property be true or false.
func (d *described) UnmarshalJSON(raw []byte) error {
	type plain described
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	if err := json.Unmarshal(raw, (*plain)(d)); err != nil {
		return err
	}
	if d.Ref != "" && d.Description == "" {
		d.Description = "described elsewhere"
	}
	return nil
}

func propertiesOf(source []byte) map[string]described {
	var root struct {
		Properties map[string]described `json:"properties"`
	}
	_ = json.Unmarshal(source, &root) // schemas says what is wrong with it
	return root.Properties
}

// schemas compiles them; without an input schema nothing else can be checked.
func (t *tester) schemas() bool {
	var err error
	if t.input, err = schema.Compile(t.d.InputSchema); err != nil {
		t.add(Fail, "input schema", "mend the schema; draft 2020-12 is assumed unless it names another", "%v", err)
		return false
	}
	t.add(Pass, "input schema", "", "it compiles")
	if len(t.d.OutputSchema) == 0 {
		t.add(Warn, "output schema", "give one, so that clients can rely on the answer's members", "there is none")
		return true
	}
	if t.output, err = schema.Compile(t.d.OutputSchema); err != nil {
		t.add(Fail, "output schema", "mend the schema; draft 2020-12 is assumed unless it names another", "%v", err)
		return true
	}
	t.add(Pass, "output schema", "", "it compiles")
	return true
}

// answerFault checks an answer against the output schema.
func (t *tester) answerFault(out sandbox.Result) error {
	if t.output == nil {
		return nil
	}
	structured := out.JSON
	if out.MCP != nil {
		var result struct {
			StructuredContent json.RawMessage `json:"structuredContent"`
			IsError           bool            `json:"isError"`
		}
		if err := json.Unmarshal(out.MCP, &result); err != nil || result.IsError {
			return err
		}
		if result.StructuredContent == nil {
			return errors.New("it has no structuredContent, which the output schema promises")
		}
		structured = result.StructuredContent
	}
	return t.output.Validate(structured)
}

// show is arguments for a detail.
func show(args []byte) string {
	const most = 160
	if len(args) > most {
		return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(string(args[:most]), "�"), len(args))
	}
	return string(args)
}
