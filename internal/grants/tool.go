package grants

import (
	"crypto/ed25519"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/ingot-run/ingot/internal/netguard"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/signature"
)

// Tool is one entry of type wasm.
type Tool struct {
	// Name is what the file calls the entry; may be empty. Tools are served under
	// the names that their modules give.
	Name string
	// Module is the path of the module's file.
	Module string
	// Signature is the path of the signature's file; empty when the policy has no
	// public key.
	Signature string
	// Policy is what the module may have. Its Signature is read by Open.
	Policy sandbox.Policy
	// Line and Column are where the entry stands.
	Line, Column int
}

// Open reads the module's file, and the signature where there has to be one, and
// returns them with the policy, as sandbox.Host.Load wants them.
func (t *Tool) Open() (module []byte, p sandbox.Policy, err error) {
	p = t.Policy
	if module, err = os.ReadFile(t.Module); err != nil {
		return nil, p, err
	}
	if t.Signature == "" {
		return module, p, nil
	}
	p.Signature, err = os.ReadFile(t.Signature)
	if isMissing(err) {
		return nil, p, fmt.Errorf("%s must be signed, and there is no %s: its author makes one with \"ingot sign %s --key FILE\"", t.Module, t.Signature, t.Module)
	}
	return module, p, err
}

// otherBlocks are the parts of a forge.yaml that are not read here.
var otherBlocks = []string{"forge", "resources", "prompts", "state", "middleware", "fault_tolerance", "include", "tests"}

// top reads the whole file.
func (r *reader) top(root ast.Node, f *File) {
	keys := []key{{"tools", true, func(n ast.Node) {
		r.list(n, "tools", func(n ast.Node) { r.entry(n, f) })
	}}}
	for _, name := range otherBlocks {
		keys = append(keys, key{name: name})
	}
	r.object(root, "the file", keys)
}

// otherTypes are the tool types that are served elsewhere.
var otherTypes = []string{"native", "cli", "http", "pipeline"}

// entry reads one tool, if it is of type wasm.
func (r *reader) entry(n ast.Node, f *File) {
	values, ok := r.mapping(n, "a tool")
	if !ok {
		return
	}
	kind, name := "", ""
	for _, v := range values {
		if s, ok := v.Key.(ast.ScalarNode); ok && s.GetToken().Value == "type" {
			r.choice("the type of a tool", append([]string{"wasm"}, otherTypes...), func(i int) {
				kind = append([]string{"wasm"}, otherTypes...)[i]
			})(v.Value)
			if kind == "" {
				return
			}
		} else if ok && s.GetToken().Value == "name" {
			name = v.Value.GetToken().Value
		}
	}
	switch kind {
	case "":
		r.fault(n, `a tool lacks the key "type": it is wasm, %s`, orList(otherTypes))
	case "wasm":
		f.Tools = append(f.Tools, r.tool(n))
	default:
		f.Others = append(f.Others, name)
	}
}

// tool reads an entry of type wasm.
func (r *reader) tool(n ast.Node) Tool {
	t := Tool{}
	t.Line, t.Column = position(n)
	var signed ast.Node
	var timeout, millis bool
	r.object(n, "a wasm tool", []key{
		{"type", true, nil},
		{"name", false, r.text("name", &t.Name)},
		{"module", true, r.path("module", &t.Module)},
		{"sha256", false, r.text("sha256", &t.Policy.SHA256)},
		{"public_key", false, func(n ast.Node) { t.Policy.PublicKey = r.publicKey(n) }},
		{"signature", false, func(n ast.Node) { signed = n; r.path("signature", &t.Signature)(n) }},
		{"isolation", false, r.choice("isolation", []string{"call", "session", "shared"}, func(i int) { t.Policy.Isolation = sandbox.Isolation(i) })},
		{"timeout", false, func(n ast.Node) { timeout = true; r.duration("timeout", &t.Policy.Limits.TimeMax)(n) }},
		{"timeout_ms", false, func(n ast.Node) {
			millis = true
			r.count("timeout_ms", math.MaxInt32, func(v uint64) { t.Policy.Limits.TimeMax = time.Duration(v) * time.Millisecond })(n)
		}},
		{"config", false, r.variables("config", &t.Policy.Config)},
		{"capabilities", false, func(n ast.Node) { r.capabilities(n, &t.Policy) }},
	})
	if timeout && millis {
		r.fault(n, "timeout and timeout_ms say the same: leave one out")
	}
	switch {
	case t.Policy.PublicKey == nil && signed != nil:
		r.fault(signed, "a signature is checked against a public_key: add one, as ed25519:… or the path of a NAME.pub")
	case t.Policy.PublicKey != nil && t.Signature == "":
		t.Signature = t.Module + signature.FileSuffix
	}
	r.check(n, t)
	return t
}

// check asks the sandbox what it thinks of the policy, for what spans keys.
func (r *reader) check(n ast.Node, t Tool) {
	if len(r.problems) > 0 { // of which it would speak again
		return
	}
	if err := t.Policy.Validate(); err != nil {
		r.fault(n, "%v", err)
	}
}

// publicKey reads a key, or the file it is in.
func (r *reader) publicKey(n ast.Node) ed25519.PublicKey {
	text, _, ok := r.scalar(n, "public_key")
	if !ok {
		return nil
	}
	content := []byte(text)
	if !strings.HasPrefix(text, "ed25519:") {
		var file string
		var err error
		r.path("public_key", &file)(n)
		if content, err = os.ReadFile(file); err != nil {
			r.fault(n, "public_key is neither ed25519:… nor a file that can be read: %v", err)
			return nil
		}
	}
	parsed, err := signature.ParsePublicKey(content)
	if err != nil {
		r.fault(n, "public_key: %v", err)
	}
	return parsed
}

// capabilities reads what the tool may have.
func (r *reader) capabilities(n ast.Node, p *sandbox.Policy) {
	r.object(n, "capabilities", []key{
		{"state", false, func(n ast.Node) {
			r.list(n, "state", func(n ast.Node) { p.State = append(p.State, r.stateGrant(n)) })
		}},
		{"files", false, func(n ast.Node) {
			r.list(n, "files", func(n ast.Node) { p.Files = append(p.Files, r.fileGrant(n)) })
		}},
		{"http", false, func(n ast.Node) {
			r.list(n, "http", func(n ast.Node) { p.HTTP = append(p.HTTP, r.httpGrant(n)) })
		}},
		{"env", false, func(n ast.Node) { r.env(n, p) }},
		{"clock", false, r.choice("clock", []string{"virtual", "real"}, func(i int) { p.Clock = sandbox.Clock(i) })},
		{"random", false, func(n ast.Node) { r.random(n, p) }},
		{"limits", false, func(n ast.Node) { r.limits(n, &p.Limits) }},
	})
}

// access reads whether a grant is for writing too.
func (r *reader) access(write *bool) func(ast.Node) {
	return r.choice("access", []string{"read", "read-write"}, func(i int) { *write = i == 1 })
}

func (r *reader) stateGrant(n ast.Node) (g sandbox.StateGrant) {
	r.object(n, "a state grant", []key{
		{"prefix", true, r.text("prefix", &g.Prefix)},
		{"access", false, r.access(&g.Write)},
		{"bytes", false, r.size("bytes", &g.BytesMax)},
		{"ops", false, r.number("ops", &g.OpsMax)},
	})
	return g
}

func (r *reader) fileGrant(n ast.Node) (g sandbox.FileGrant) {
	r.object(n, "a file grant", []key{
		{"path", true, r.text("path", &g.Guest)},
		{"root", true, r.path("root", &g.Root)},
		{"access", false, r.access(&g.Write)},
		{"bytes", false, r.size("bytes", &g.BytesMax)},
	})
	return g
}

func (r *reader) httpGrant(n ast.Node) (g sandbox.HTTPGrant) {
	before := len(r.problems)
	r.object(n, "an http grant", []key{
		{"host", true, r.text("host", &g.Host)},
		{"methods", false, r.texts("methods", &g.Methods)},
		{"private", false, r.boolean("private", &g.Private)},
		{"headers", false, r.texts("headers", &g.Headers)},
	})
	if len(r.problems) == before {
		if err := (netguard.Rule{Host: g.Host, Methods: g.Methods, Private: g.Private, Headers: g.Headers}).Validate(); err != nil {
			r.fault(n, "%v", err)
		}
	}
	return g
}

// env reads names of variables that are passed on, or variables with values.
func (r *reader) env(n ast.Node, p *sandbox.Policy) {
	if _, ok := r.resolve(n).(*ast.SequenceNode); !ok {
		r.variables("env", &p.Env)(n)
		return
	}
	p.Env = map[string]string{}
	r.list(n, "env", func(n ast.Node) {
		name, _, ok := r.scalar(n, "an element of env")
		switch value, set := r.lookup(name); {
		case !ok:
		case !isVariable(name):
			r.fault(n, "%q is no name of a variable; with values env is a mapping, as env: {LANG: C.UTF-8}", name)
		case !set:
			r.fault(n, "the environment variable %s is not set: set it, or give its value as env: {%s: …}", name, name)
		default:
			p.Env[name] = value
		}
	})
}

// random reads "os" or a seed.
func (r *reader) random(n ast.Node, p *sandbox.Policy) {
	switch r.resolve(n).(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		var seed string
		r.object(n, "random", []key{{"seed", true, r.text("seed", &seed)}})
		p.RandomSeed = []byte(seed)
	default:
		r.choice("random", []string{"os", "{seed: some text}"}, func(int) {})(n)
	}
}

// limits reads the bounds.
func (r *reader) limits(n ast.Node, l *sandbox.Limits) {
	r.object(n, "limits", []key{
		{"module", false, r.size("module", &l.ModuleBytesMax)},
		{"compile_work", false, r.number("compile_work", &l.CompileWorkMax)},
		{"memory", false, r.size("memory", &l.MemoryBytesMax)},
		{"table_elements", false, r.number("table_elements", &l.TableElementsMax)},
		{"fuel", false, r.number("fuel", &l.FuelMax)},
		{"input", false, r.size("input", &l.InputBytesMax)},
		{"stdin", false, r.size("stdin", &l.StdinBytesMax)},
		{"output", false, r.size("output", &l.OutputBytesMax)},
		{"log_bytes", false, r.size("log_bytes", &l.LogBytesMax)},
		{"log_lines", false, r.number("log_lines", &l.LogLinesMax)},
		{"load_time", false, r.duration("load_time", &l.LoadTimeMax)},
		{"concurrency", false, r.small("concurrency", &l.ConcurrencyMax)},
		{"queue", false, r.small("queue", &l.CallsQueuedMax)},
		{"ready_instances", false, r.small("ready_instances", &l.InstancesReadyMin)},
		{"idle_instances", false, r.small("idle_instances", &l.InstancesIdleMax)},
		{"idle_time", false, r.duration("idle_time", &l.IdleTimeMax)},
		{"open_files", false, r.small("open_files", &l.OpenFilesMax)},
		{"http_requests", false, r.number("http_requests", &l.HTTPRequestsMax)},
		{"http_request_bytes", false, r.size("http_request_bytes", &l.HTTPRequestBytesMax)},
		{"http_response_bytes", false, r.size("http_response_bytes", &l.HTTPResponseBytesMax)},
		{"http_time", false, r.duration("http_time", &l.HTTPTimeMax)},
	})
}
