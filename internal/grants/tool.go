package grants

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"time"

	"github.com/ingot-run/ingot/internal/netguard"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/signature"
	"github.com/ingot-run/ingot/internal/yamlfile"
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
	// PublicKeyFile is the path of the key's file; empty when the key stands in the file
	// itself, or there is none.
	PublicKeyFile string
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
	if errors.Is(err, fs.ErrNotExist) {
		return nil, p, fmt.Errorf("%s must be signed, and there is no %s: its author makes one with \"ingot sign %s --key FILE\"", t.Module, t.Signature, t.Module)
	}
	return module, p, err
}

// otherBlocks are the parts of a forge.yaml that are not read here.
var otherBlocks = []string{"forge", "resources", "prompts", "state", "middleware", "fault_tolerance", "include", "tests"}

// top reads the whole file.
func (r reader) top(root *yamlfile.Node, f *File) {
	keys := []key{{"tools", true, func(n *yamlfile.Node) {
		r.List(n, "tools", func(n *yamlfile.Node) { r.entry(n, f) })
	}}}
	for _, name := range otherBlocks {
		keys = append(keys, key{name: name})
	}
	r.object(root, "the file", keys)
}

// otherTypes are the tool types that are served elsewhere.
var otherTypes = []string{"native", "cli", "http", "pipeline"}

// entry reads one tool, if it is of type wasm.
func (r reader) entry(n *yamlfile.Node, f *File) {
	if !r.IsMapping(n) {
		r.object(n, "a tool", nil)
		return
	}
	kind, name := "", ""
	content := r.Resolve(n).Content
	for i := 0; i+1 < len(content); i += 2 {
		switch value := content[i+1]; content[i].Value {
		case "type":
			words := append([]string{"wasm"}, otherTypes...)
			r.Choice("the type of a tool", words, func(i int) { kind = words[i] })(value)
			if kind == "" {
				return
			}
		case "name":
			name = value.Value
		}
	}
	switch kind {
	case "":
		r.Fault(n, `a tool lacks the key "type": it is wasm, %s`, yamlfile.OrList(otherTypes))
	case "wasm":
		f.Tools = append(f.Tools, r.tool(n, nil, nil))
	default:
		f.Others = append(f.Others, name)
	}
}

// tool reads an entry of type wasm.
func (r reader) tool(n *yamlfile.Node, p *yamlfile.Place, others []yamlfile.Key) Tool {
	before := r.Faults()
	t := Tool{Line: n.Line, Column: n.Column}
	var signed *yamlfile.Node
	var timeout, millis bool
	r.Object(n, "a wasm tool", p, append(exported([]key{
		{"type", true, nil},
		{"name", false, r.Text("name", &t.Name)},
		{"module", true, r.Path("module", &t.Module)},
		{"sha256", false, r.sha256(&t.Policy.SHA256)},
		{"public_key", false, func(n *yamlfile.Node) { t.Policy.PublicKey = r.publicKey(n, &t.PublicKeyFile) }},
		{"signature", false, func(n *yamlfile.Node) { signed = n; r.Path("signature", &t.Signature)(n) }},
		{"isolation", false, r.Choice("isolation", []string{"call", "session", "shared"}, func(i int) { t.Policy.Isolation = sandbox.Isolation(i) })},
		{"timeout", false, func(n *yamlfile.Node) { timeout = true; r.Duration("timeout", &t.Policy.Limits.TimeMax)(n) }},
		{"timeout_ms", false, func(n *yamlfile.Node) {
			millis = true
			r.Count("timeout_ms", 1, math.MaxInt32, func(v uint64) { t.Policy.Limits.TimeMax = time.Duration(v) * time.Millisecond })(n)
		}},
		{"config", false, r.Variables("config", &t.Policy.Config)},
		{"capabilities", false, func(n *yamlfile.Node) { r.capabilities(n, &t.Policy) }},
	}), others...))
	if timeout && millis {
		r.Fault(n, "timeout and timeout_ms say the same: leave one out")
	}
	switch {
	case t.Policy.PublicKey == nil && signed != nil:
		r.Fault(signed, "a signature is checked against a public_key: add one, as ed25519:… or the path of a NAME.pub")
	case t.Policy.PublicKey != nil && t.Signature == "":
		t.Signature = t.Module + signature.FileSuffix
	}
	if r.Faults() == before { // else the sandbox would speak of them again
		if err := t.Policy.Validate(); err != nil {
			r.Fault(n, "%v", err)
		}
	}
	return t
}

// publicKey reads a key, or the file it is in, whose path it notes.
func (r reader) publicKey(n *yamlfile.Node, file *string) ed25519.PublicKey {
	text, _, ok := r.Scalar(n, "public_key")
	if !ok {
		return nil
	}
	content := []byte(text)
	if !strings.HasPrefix(text, "ed25519:") {
		var err error
		r.Path("public_key", file)(n)
		if content, err = os.ReadFile(*file); err != nil {
			r.Fault(n, "public_key is neither ed25519:… nor a file that can be read: %v", err)
			return nil
		}
	}
	parsed, err := signature.ParsePublicKey(content)
	if err != nil {
		r.Fault(n, "public_key: %v", err)
	}
	return parsed
}

// capabilities reads what the tool may have.
func (r reader) capabilities(n *yamlfile.Node, p *sandbox.Policy) {
	r.object(n, "capabilities", []key{
		{"state", false, func(n *yamlfile.Node) {
			r.List(n, "state", func(n *yamlfile.Node) { p.State = append(p.State, r.stateGrant(n)) })
		}},
		{"files", false, func(n *yamlfile.Node) {
			r.List(n, "files", func(n *yamlfile.Node) { p.Files = append(p.Files, r.fileGrant(n)) })
		}},
		{"http", false, func(n *yamlfile.Node) {
			r.List(n, "http", func(n *yamlfile.Node) { p.HTTP = append(p.HTTP, r.httpGrant(n)) })
		}},
		{"env", false, func(n *yamlfile.Node) { r.env(n, p) }},
		{"clock", false, r.Choice("clock", []string{"virtual", "real"}, func(i int) { p.Clock = sandbox.Clock(i) })},
		{"random", false, func(n *yamlfile.Node) { r.random(n, p) }},
		{"limits", false, func(n *yamlfile.Node) { r.limits(n, &p.Limits) }},
	})
}

// access reads whether a grant is for writing too.
func (r reader) access(write *bool) func(*yamlfile.Node) {
	return r.Choice("access", []string{"read", "read-write"}, func(i int) { *write = i == 1 })
}

// sha256 reads a pin. An empty one, as it is when a variable is empty, would pin
// nothing.
func (r reader) sha256(to *string) func(*yamlfile.Node) {
	return func(n *yamlfile.Node) {
		text, _, ok := r.Scalar(n, "sha256")
		if ok && text == "" {
			r.Fault(n, "sha256 is empty, which pins nothing: give it a value, or leave it out")
		}
		*to = text
	}
}

// prefix reads the prefix of a state grant. The empty one grants all keys, and is
// taken only where it is written so: not from a variable.
func (r reader) prefix(to *string) func(*yamlfile.Node) {
	return func(n *yamlfile.Node) {
		text, shown, ok := r.Scalar(n, "prefix")
		if ok && text == "" && shown != "" {
			r.Fault(n, "prefix %q is empty, which would grant all keys: set the variable, or write \"\" if that is meant", shown)
		}
		*to = text
	}
}

func (r reader) stateGrant(n *yamlfile.Node) (g sandbox.StateGrant) {
	r.object(n, "a state grant", []key{
		{"prefix", true, r.prefix(&g.Prefix)},
		{"access", false, r.access(&g.Write)},
		{"bytes", false, r.Size("bytes", &g.BytesMax)},
		{"ops", false, r.Number("ops", &g.OpsMax)},
	})
	return g
}

func (r reader) fileGrant(n *yamlfile.Node) (g sandbox.FileGrant) {
	r.object(n, "a file grant", []key{
		{"path", true, r.Text("path", &g.Guest)},
		{"root", true, r.Path("root", &g.Root)},
		{"access", false, r.access(&g.Write)},
		{"bytes", false, r.Size("bytes", &g.BytesMax)},
	})
	return g
}

func (r reader) httpGrant(n *yamlfile.Node) (g sandbox.HTTPGrant) {
	before := r.Faults()
	r.object(n, "an http grant", []key{
		{"host", true, r.Text("host", &g.Host)},
		{"methods", false, r.Texts("methods", &g.Methods)},
		{"private", false, r.Boolean("private", &g.Private)},
		{"headers", false, r.Texts("headers", &g.Headers)},
	})
	if r.Faults() == before {
		if err := (netguard.Rule{Host: g.Host, Methods: g.Methods, Private: g.Private, Headers: g.Headers}).Validate(); err != nil {
			r.Fault(n, "%v", err)
		}
	}
	return g
}

// env reads names of variables that are passed on, or variables with values.
func (r reader) env(n *yamlfile.Node, p *sandbox.Policy) {
	if !r.IsList(n) {
		r.Variables("env", &p.Env)(n)
		return
	}
	p.Env = map[string]string{}
	r.List(n, "env", func(n *yamlfile.Node) {
		name, _, ok := r.Scalar(n, "an element of env")
		switch value, set := r.LookupEnv(name); {
		case !ok:
		case !yamlfile.IsVariable(name):
			r.Fault(n, "%q is no name of a variable; with values env is a mapping, as env: {LANG: C.UTF-8}", name)
		case !set:
			r.Fault(n, "the environment variable %s is not set: set it, or give its value as env: {%s: …}", name, name)
		default:
			p.Env[name] = value
		}
	})
}

// random reads "os" or a seed.
func (r reader) random(n *yamlfile.Node, p *sandbox.Policy) {
	if !r.IsMapping(n) {
		r.Choice("random", []string{"os", "{seed: some text}"}, func(i int) {
			if i > 0 { // a text of these letters
				r.Fault(n, "random is a text, and seed a key: write it without quotes")
			}
		})(n)
		return
	}
	var seed string
	r.object(n, "random", []key{{"seed", true, r.Text("seed", &seed)}})
	p.RandomSeed = []byte(seed)
}

// limits reads the bounds.
func (r reader) limits(n *yamlfile.Node, l *sandbox.Limits) {
	r.object(n, "limits", []key{
		{"module", false, r.Size("module", &l.ModuleBytesMax)},
		{"compile_work", false, r.Number("compile_work", &l.CompileWorkMax)},
		{"memory", false, r.Size("memory", &l.MemoryBytesMax)},
		{"table_elements", false, r.Number("table_elements", &l.TableElementsMax)},
		{"fuel", false, r.Number("fuel", &l.FuelMax)},
		{"input", false, r.Size("input", &l.InputBytesMax)},
		{"stdin", false, r.Size("stdin", &l.StdinBytesMax)},
		{"output", false, r.Size("output", &l.OutputBytesMax)},
		{"log_bytes", false, r.Size("log_bytes", &l.LogBytesMax)},
		{"log_lines", false, r.Number("log_lines", &l.LogLinesMax)},
		{"load_time", false, r.Duration("load_time", &l.LoadTimeMax)},
		{"concurrency", false, r.Small("concurrency", &l.ConcurrencyMax)},
		{"queue", false, r.Small("queue", &l.CallsQueuedMax)},
		{"ready_instances", false, r.Small("ready_instances", &l.InstancesReadyMin)},
		{"idle_instances", false, r.Small("idle_instances", &l.InstancesIdleMax)},
		{"idle_time", false, r.Duration("idle_time", &l.IdleTimeMax)},
		{"open_files", false, r.Small("open_files", &l.OpenFilesMax)},
		{"http_requests", false, r.Number("http_requests", &l.HTTPRequestsMax)},
		{"http_request_bytes", false, r.Size("http_request_bytes", &l.HTTPRequestBytesMax)},
		{"http_response_bytes", false, r.Size("http_response_bytes", &l.HTTPResponseBytesMax)},
		{"http_time", false, r.Duration("http_time", &l.HTTPTimeMax)},
	})
}
