package config

import (
	"slices"
	"strings"

	"github.com/ingot-run/ingot/internal/access"
	"github.com/ingot-run/ingot/internal/audit"
	"github.com/ingot-run/ingot/internal/yamlfile"
)

// Access is the block access: who may do what.
type Access struct {
	Place
	access.Rules
}

// Audit is the block audit: what is kept of requests, and where.
type Audit struct {
	Place
	Path         string // empty: nothing is kept
	Arguments    string // empty: audit.ArgumentsHash
	Sync         string // empty: audit.SyncInterval
	OnFailure    string // empty: audit.FailureRefuse
	MaxFileBytes uint64 // 0: 64 MiB
	Methods      []string
}

// Options are those of the log.
func (a *Audit) Options() audit.Options {
	return audit.Options{Arguments: a.Arguments, Sync: a.Sync, OnFailure: a.OnFailure, MaxFileBytes: int64(a.MaxFileBytes), Methods: a.Methods}
}

// role is a role that is read.
type role struct {
	Place
	access.Role
}

var (
	accessTable = table[Access]{name: "access", what: "access", doc: "Who may do what. Once there is a role, everything is denied that none of the caller's roles allows, and lists leave out what the caller may not use."}
	roleTable   = table[role]{name: "role", what: "a role", doc: "Callers and what they may do. In patterns * stands for any run of characters but the slash, ** for any run. A caller has all roles that name it."}
	quotaTable  = table[role]{name: "quotas", what: "quotas", doc: "What each caller may use. Of several roles the largest counts."}
	auditTable  = table[Audit]{name: "audit", what: "audit", doc: "The record of who did what: JSON lines that are chained by hashes. ingot audit reads it."}
	// accessFileTable is a file of its own, for servers without a forge.yaml.
	accessFileTable = table[top]{name: "access_file", what: "a file of access rules", doc: "The blocks access and audit."}
)

func accessTables() {
	quotaTable.fields = []field[role]{
		{name: "calls_per_minute", doc: "Calls of tools; as many may come at once.", value: count(1, 1_000_000_000, func(r *role, n int) { r.Quotas.CallsPerMinute = n })},
		{name: "concurrent_calls", doc: "Calls of tools that run at the same time.", value: count(1, 1_000_000, func(r *role, n int) { r.Quotas.ConcurrentCalls = n })},
		{name: "state_bytes", doc: "The budget of the caller's own keys, below each prefix with the right write that ends in ${principal}/.", value: sizeOf(func(r *role, n int64) { r.Quotas.StateBytes = n })},
	}
	quotaTable.ready()
	roleTable.fields = []field[role]{
		{name: "principals", doc: "Patterns of callers: token:NAME, oauth:SUBJECT, client:ID, mtls:uri:URI, mtls:dns:NAME, mtls:email:ADDRESS, mtls:cn:NAME, local (stdio), anonymous (where nobody is asked).", value: texts(func(r *role) *[]string { return &r.Principals })},
		{name: "scopes", doc: "Scopes of OAuth: whose token has one of these has the role. Words with blanks between are needed together.", value: texts(func(r *role) *[]string { return &r.Scopes })},
		{name: "tools", doc: "Patterns of the tools that may be seen and called.", value: texts(func(r *role) *[]string { return &r.Tools })},
		{name: "resources", doc: "Patterns of the URIs that may be seen, read and listened to. ${principal} is the caller's name, escaped.", value: uriPatterns()},
		{name: "prompts", doc: "Patterns of the prompts that may be seen and used.", value: texts(func(r *role) *[]string { return &r.Prompts })},
		{name: "state", doc: "Rights to keys by their prefixes: none, read, or write, which holds read. The longest prefix of a role decides. ${principal} is the caller's name, escaped. For the tools state_* and resources state:/// of ingot serve, and tools with state: {rights: caller}.", value: stateRights()},
		{name: "quotas", doc: "What each caller may use.", value: value[role]{
			form{human: "mapping", schema: ref("quotas"), uses: []described{&quotaTable}},
			func(l *loader, n *node, r *role, _ string) { quotaTable.read(l, n, r, nil) },
		}},
	}
	roleTable.ready()
	accessTable.fields = []field[Access]{
		{name: "roles", doc: "The roles by their names.", value: roles()},
		{name: "default_role", doc: "The role of callers that no role names; without one they may do nothing.", value: text(func(a *Access) *string { return &a.Default })},
	}
	accessTable.ready()
	auditTable.fields = []field[Audit]{
		{name: "path", required: true, doc: "The file. It is made for its owner's eyes alone, and a file NAME.key and NAME.lock beside it.", value: path(func(a *Audit) *string { return &a.Path })},
		{name: "arguments", byDef: "hash", doc: "What is kept of arguments: an HMAC of what was sent, the names with the lengths of values, or nothing.", value: choice([]string{audit.ArgumentsHash, audit.ArgumentsRedact, audit.ArgumentsOmit}, func(a *Audit, w string) { a.Arguments = w })},
		{name: "sync", byDef: "interval", doc: "When a record is on the disk: before its answer is sent, many together; or within a second.", value: choice([]string{audit.SyncAlways, audit.SyncInterval}, func(a *Audit, w string) { a.Sync = w })},
		{name: "max_file_bytes", byDef: "64MiB", doc: "How large a file becomes before the next is begun; 4KiB at least.", value: size(func(a *Audit) *uint64 { return &a.MaxFileBytes })},
		{name: "on_failure", byDef: "refuse", doc: "What happens to requests while the log cannot be written: they are refused, or served and counted.", value: choice([]string{audit.FailureRefuse, audit.FailureContinue}, func(a *Audit, w string) { a.OnFailure = w })},
		{name: "methods", doc: "Patterns of the methods of which a record is kept, as tools/call or resources/*; those that call, read, listen, complete or are about a task otherwise.", value: texts(func(a *Audit) *[]string { return &a.Methods })},
	}
	auditTable.ready()
	blocks := []field[top]{
		{name: "access", doc: "Who may do what; everybody everything otherwise.", value: value[top]{
			form{human: "mapping", schema: ref("access"), uses: []described{&accessTable}},
			func(l *loader, n *node, t *top, _ string) { l.access(n, &t.Config.Access) },
		}},
		{name: "audit", doc: "The record of who did what; none otherwise.", value: value[top]{
			form{human: "mapping", schema: ref("audit"), uses: []described{&auditTable}},
			func(l *loader, n *node, t *top, _ string) { l.audit(n, &t.Config.Audit) },
		}},
	}
	accessFileTable.fields = blocks
	accessFileTable.ready()
	at := 1 + slices.IndexFunc(topTable.fields, func(f field[top]) bool { return f.name == "state" })
	topTable.fields = slices.Insert(topTable.fields, at, blocks...)
	topTable.ready()
}

// sizeOf is size for a number that is kept in another form.
func sizeOf(set func(*role, int64)) value[role] {
	return value[role]{scalarForm("size, as 64MiB", "string", "integer"), func(l *loader, n *node, r *role, what string) {
		var bytes uint64
		l.Size(what, &bytes)(n)
		set(r, int64(min(bytes, 1<<62)))
	}}
}

// uriPatterns is a list of texts in which ${principal} is no variable of the environment.
func uriPatterns() value[role] {
	v := texts(func(r *role) *[]string { return &r.Resources })
	v.read = func(l *loader, n *node, r *role, what string) {
		if !l.bounded(n, what, listMax) {
			return
		}
		l.List(n, what, func(n *node) {
			x := l.Resolve(n)
			if x == nil || l.IsList(n) || l.IsMapping(n) {
				l.Fault(n, "%s are texts", what)
				return
			}
			if s, ok := l.Expand(n, strings.ReplaceAll(x.Value, access.Own, "$"+access.Own)); ok {
				r.Resources = append(r.Resources, s)
			}
		})
	}
	return v
}

// stateRights is a mapping of prefixes to rights.
func stateRights() value[role] {
	words := []string{"none", "read", "write"}
	f := form{human: "none, read or write by prefix", schema: map[string]any{"type": "object", "additionalProperties": map[string]any{"enum": []any{"none", "read", "write"}}}}
	return value[role]{f, func(l *loader, n *node, r *role, what string) {
		if !l.bounded(n, what, listMax) {
			return
		}
		l.Members(n, what, nil, func(key, v *node) {
			l.Choice("the right to "+quote(key.Value), words, func(i int) {
				r.State = append(r.State, access.StateRule{Prefix: key.Value, Right: access.Right(i)})
			})(v)
		})
	}}
}

// roles is a mapping of names to roles.
func roles() value[Access] {
	f := form{human: "roles by name", schema: map[string]any{"type": "object", "additionalProperties": ref("role")}, uses: []described{&roleTable}}
	return value[Access]{f, func(l *loader, n *node, a *Access, what string) {
		if !l.bounded(n, what, listMax) {
			return
		}
		l.Members(n, what, nil, func(key, v *node) {
			r := role{Role: access.Role{Name: key.Value}}
			before := l.Faults()
			roleTable.read(l, v, &r, &r.Place)
			if l.Faults() > before {
				return
			}
			if err := r.Check(); err != nil {
				l.Fault(v, "%v", err)
				return
			}
			a.Roles = append(a.Roles, r.Role)
		})
	}}
}

func (l *loader) access(n *node, a *Access) {
	before := l.Faults()
	accessTable.read(l, n, a, &a.Place)
	if l.Faults() > before {
		return
	}
	if len(a.Roles) == 0 {
		l.Fault(n, "access has no roles, and would allow everybody everything: name one under roles:, or leave access out")
		return
	}
	if _, err := access.Compile(a.Rules); err != nil {
		at := a.At("default_role")
		if at.Line == 0 {
			at = a.Pos
		}
		l.Note(at, "%v", err)
	}
}

func (l *loader) audit(n *node, a *Audit) {
	before := l.Faults()
	auditTable.read(l, n, a, &a.Place)
	if l.Faults() > before {
		return
	}
	if a.Path == "" {
		l.Fault(n, "audit needs a file, as path: ./audit.log")
	}
	if err := audit.CheckMethods(a.Methods); err != nil {
		l.Note(a.At("methods"), "%v", err)
	}
}

// LoadAccess reads a file that holds the blocks access and audit, of which one may be
// missing. What is wrong in it is a [*Problems].
func LoadAccess(name string, o Options) (*Config, error) {
	text, err := yamlfile.ReadFile(name)
	if err != nil {
		return nil, err
	}
	set := yamlfile.NewSet(o)
	c := &Config{Files: []string{name}}
	l := &loader{Reader: absolute(set.Reader(name)), shared: &shared{config: c}}
	if root := l.Document(text, "a block access: with roles"); root != nil {
		read := top{Config: c}
		accessFileTable.read(l, root, &read, nil)
	}
	if err := set.Err(); err != nil {
		return nil, err
	}
	c.Secrets = Secrets{set.Secrets()}
	return c, nil
}
