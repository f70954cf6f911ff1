package main

import (
	"fmt"
	"strings"

	"github.com/ingot-run/ingot/forge/config"
)

// inspectedRole is a role, and what it may do.
type inspectedRole struct {
	Name      string            `json:"name"`
	Default   bool              `json:"default,omitempty"` // of callers that have no other
	Callers   []string          `json:"callers,omitempty"`
	Scopes    []string          `json:"scopes,omitempty"`
	Tools     []string          `json:"tools,omitempty"`
	Resources []string          `json:"resources,omitempty"`
	Prompts   []string          `json:"prompts,omitempty"`
	State     map[string]string `json:"state,omitempty"` // rights by prefix
	Quotas    []string          `json:"quotas,omitempty"`
}

// addAccess adds the roles of a file and where it keeps its record, and takes out of what
// is shown the values that came from the environment or from files.
func (f *inspectedFile) addAccess(read *config.Config) {
	for i := range f.Tools {
		f.Tools[i].Runs = read.Secrets.Redact(f.Tools[i].Runs)
	}
	for i := range f.Resources {
		r := &f.Resources[i]
		r.URI, r.From = read.Secrets.Redact(r.URI), read.Secrets.Redact(r.From)
	}
	f.Audit = read.Audit.Path
	for i := range read.Access.Roles {
		r := &read.Access.Roles[i]
		role := inspectedRole{
			Name: r.Name, Default: r.Name == read.Access.Default, Callers: r.Principals, Scopes: r.Scopes, Tools: r.Tools, Resources: r.Resources, Prompts: r.Prompts,
		}
		for _, s := range r.State {
			if role.State == nil {
				role.State = map[string]string{}
			}
			role.State[s.Prefix] = s.Right.String()
		}
		for _, q := range []struct {
			name string
			most int64
		}{{"calls_per_minute", int64(r.Quotas.CallsPerMinute)}, {"concurrent_calls", int64(r.Quotas.ConcurrentCalls)}, {"state_bytes", r.Quotas.StateBytes}} {
			if q.most > 0 {
				role.Quotas = append(role.Quotas, fmt.Sprintf("%s %d", q.name, q.most))
			}
		}
		f.Access = append(f.Access, role)
	}
}

// text is the role in a line.
func (r *inspectedRole) text() string {
	out := r.Name + ":"
	for _, part := range []struct {
		what string
		all  []string
	}{{"for", r.Callers}, {"scopes", r.Scopes}, {"tools", r.Tools}, {"resources", r.Resources}, {"prompts", r.Prompts}, {"keys", rights(r.State)}, {"quotas", r.Quotas}} {
		if len(part.all) > 0 {
			out += " " + part.what + " " + strings.Join(part.all, " ") + ";"
		}
	}
	if r.Default {
		out += " for callers without another;"
	}
	return strings.TrimRight(out, ";:")
}

func rights(state map[string]string) (all []string) {
	for prefix, right := range state {
		all = append(all, right+" "+prefix+"…")
	}
	sortText(all)
	return all
}
