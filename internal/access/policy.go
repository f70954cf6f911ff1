package access

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/oauth"
)

// Policy is rules made ready to be asked. It is safe for concurrent use.
type Policy struct {
	rules Rules

	mu    sync.RWMutex
	known map[string]*subject // by appendKey
}

// subjectsMax bounds the callers that a policy knows. Beyond it those that call nothing
// are forgotten.
const subjectsMax = 10_000

// Compile checks rules and makes them ready. It returns nil where there are no roles:
// a nil policy allows everything.
func Compile(r Rules) (*Policy, error) {
	if len(r.Roles) == 0 {
		if r.Default != "" {
			return nil, fmt.Errorf("the default role %q is none of the roles: there are none", r.Default)
		}
		return nil, nil
	}
	if len(r.Roles) > rolesMax {
		return nil, fmt.Errorf("more than %d roles", rolesMax)
	}
	byName := map[string]bool{}
	for i := range r.Roles {
		role := &r.Roles[i]
		if err := role.Check(); err != nil {
			return nil, err
		}
		if byName[role.Name] {
			return nil, fmt.Errorf("there are two roles %q", role.Name)
		}
		byName[role.Name] = true
	}
	if r.Default != "" && !byName[r.Default] {
		return nil, fmt.Errorf("the default role %q is none of the roles", r.Default)
	}
	return &Policy{rules: r, known: map[string]*subject{}}, nil
}

// Error says what a caller lacks.
type Error struct{ text string }

// Error says what is denied, to whom, and what would be needed.
func (e *Error) Error() string { return e.text }

// Unwrap makes it an error of the protocol: the request is refused, and is no failure of
// the tool.
func (e *Error) Unwrap() error {
	return &mcp.Error{Code: mcp.CodeInvalidRequest, Message: e.text}
}

// Allow returns nil where the caller of ctx may have what is named, and an [*Error]
// otherwise, which does not depend on whether there is such a thing. Allowed, it
// allocates nothing.
func (p *Policy) Allow(ctx context.Context, kind mcp.Kind, name string) error {
	if p == nil {
		return nil
	}
	s := p.subject(ctx)
	if s.may(kind, name) {
		return nil
	}
	return p.refuse(ctx, s, kind, name)
}

// Shows reports whether the caller of ctx may have what is named.
func (p *Policy) Shows(ctx context.Context, kind mcp.Kind, name string) bool {
	return p == nil || p.subject(ctx).may(kind, name)
}

// Right is what the caller of ctx may do with a key.
func (p *Policy) Right(ctx context.Context, key string) Right {
	if p == nil {
		return Write
	}
	return p.subject(ctx).right(key)
}

// refuse words a refusal. Where another scope of OAuth would do, the client is told to
// ask for it.
func (p *Policy) refuse(ctx context.Context, s *subject, kind mcp.Kind, name string) error {
	if kind == mcp.KindResource {
		if key, ok := keyOf(name); ok && s.resources.has(name) {
			return s.refuseKey(key, Read)
		}
	}
	text := fmt.Sprintf("%s may not use the %s %.200s: %s", s.caller.Name, kind, name, s.roleNames())
	if scope := p.scopeFor(s, kind, name); scope != "" {
		text += "; the scope " + scope + " would allow it"
		_ = oauth.Allow(ctx, strings.Fields(scope)...) // has the answer's headers ask for it; that it is missing is known
	}
	return &Error{text + ". " + hintFor(kind)}
}

// hintFor says where a right is given.
func hintFor(kind mcp.Kind) string {
	where := map[mcp.Kind]string{mcp.KindTool: "tools", mcp.KindPrompt: "prompts", mcp.KindResource: "resources", mcp.KindTemplate: "resources"}[kind]
	return "Whoever runs the server can name it under " + where + ": of a role"
}

// scopeFor is a scope whose role allows what the caller may not; empty: none.
func (p *Policy) scopeFor(s *subject, kind mcp.Kind, name string) string {
	if s.caller.Scopes == nil && s.caller.Client == "" && !strings.HasPrefix(s.caller.Name, "oauth:") {
		return ""
	}
	for i := range p.rules.Roles {
		r := &p.rules.Roles[i]
		for _, scope := range r.Scopes {
			if made := newSubject(s.caller, []*Role{r}); made.may(kind, name) {
				return scope
			}
		}
	}
	return ""
}

// subject finds the caller of ctx.
func (p *Policy) subject(ctx context.Context) *subject {
	var room [512]byte
	t := oauth.TokenOf(ctx)
	key := appendKey(room[:0], t, httpguard.Principal(ctx))
	p.mu.RLock()
	s := p.known[string(key)]
	p.mu.RUnlock()
	if s == nil {
		s = p.learn(string(key), CallerOf(ctx))
	}
	return s
}

// appendKey is what tells callers apart: all that roles may depend on. Each text has its
// length in front, since any of them may hold any byte.
func appendKey(dst []byte, t *oauth.Token, principal string) []byte {
	if t == nil {
		return append(dst, principal...)
	}
	dst = append(dst, 0) // with which no principal begins
	add := func(text string) { dst = append(binary.AppendUvarint(dst, uint64(len(text))), text...) }
	add(t.Subject)
	add(t.ClientID)
	for _, scope := range t.Scopes {
		add(scope)
	}
	return dst
}

// learn makes what a policy knows of a caller.
func (p *Policy) learn(key string, c Caller) *subject {
	var roles []*Role
	for i := range p.rules.Roles {
		if r := &p.rules.Roles[i]; c.has(r) {
			roles = append(roles, r)
		}
	}
	for i := range p.rules.Roles {
		if r := &p.rules.Roles[i]; len(roles) == 0 && r.Name == p.rules.Default {
			roles = append(roles, r)
		}
	}
	made := newSubject(c, roles)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.known[key]; s != nil {
		return s
	}
	if len(p.known) >= subjectsMax {
		for key, s := range p.known {
			if s.idle() {
				delete(p.known, key)
			}
		}
	}
	made.shared = p.sharedLocked(made)
	p.known[key] = made
	return made
}

// sharedLocked is the usage of a caller, the same for all tokens that it comes with.
func (p *Policy) sharedLocked(made *subject) *usage {
	for _, s := range p.known {
		if s.caller.Name == made.caller.Name {
			return s.shared
		}
	}
	return &usage{}
}
