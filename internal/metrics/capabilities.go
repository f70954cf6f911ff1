package metrics

import "github.com/ingot-run/ingot/internal/sandbox"

// Capabilities are what a policy grants a module: names, and nothing of this machine's.
// Folders have the paths that the module sees, variables are only counted.
type Capabilities struct {
	State []StateCapability `json:"state,omitempty"`
	Files []FileCapability  `json:"files,omitempty"`
	HTTP  []HTTPCapability  `json:"http,omitempty"`
	// EnvCount is how many environment variables the module has.
	EnvCount int `json:"env_count,omitempty"`
}

// StateCapability is the keys that begin with a prefix; an empty one is all.
type StateCapability struct {
	Prefix string `json:"prefix"`
	Write  bool   `json:"write,omitempty"`
}

// FileCapability is a folder, by the path that the module sees.
type FileCapability struct {
	Path  string `json:"path"`
	Write bool   `json:"write,omitempty"`
}

// HTTPCapability is a host, as the policy names it. Without Methods it is for GET and
// HEAD; Private is whether the host may be on this machine or in a private network.
type HTTPCapability struct {
	Host    string   `json:"host"`
	Methods []string `json:"methods,omitempty"`
	Private bool     `json:"private,omitempty"`
}

func capabilities(p sandbox.Policy) *Capabilities {
	c := &Capabilities{EnvCount: len(p.Env)}
	for _, g := range p.State {
		c.State = append(c.State, StateCapability{g.Prefix, g.Write})
	}
	for _, g := range p.Files {
		c.Files = append(c.Files, FileCapability{g.Guest, g.Write})
	}
	for _, g := range p.HTTP {
		c.HTTP = append(c.HTTP, HTTPCapability{g.Host, g.Methods, g.Private})
	}
	return c
}
