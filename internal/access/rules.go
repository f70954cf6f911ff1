package access

import (
	"fmt"
	"slices"
	"strings"
)

// Right is what a caller may do with keys. Write holds Read.
type Right uint8

// The rights.
const (
	None Right = iota
	Read
	Write
)

// String names the right as rules write it.
func (r Right) String() string { return [...]string{"none", "read", "write"}[r] }

// Rules are what may be done, and by whom. No roles is that everybody may do everything.
type Rules struct {
	Roles []Role
	// Default is the role of callers that have no other; empty: they have none.
	Default string
}

// Role is a set of callers and what they may do.
type Role struct {
	Name string
	// Principals are patterns of callers' names: token:NAME, oauth:SUBJECT,
	// client:ID, mtls:uri:URI, mtls:dns:NAME, mtls:email:ADDRESS, mtls:cn:NAME, local
	// (stdio) and anonymous (whom nobody asked).
	Principals []string
	// Scopes are of OAuth: a caller whose token has all of one element, words with
	// spaces between, has the role.
	Scopes []string
	// Tools, Resources (URIs) and Prompts are patterns of names.
	Tools, Resources, Prompts []string
	State                     []StateRule
	Quotas                    Quotas
}

// StateRule is a right to all keys that begin with Prefix.
type StateRule struct {
	Prefix string
	Right  Right
}

// Quotas bound what one caller may use; 0 is no bound. Of several roles the largest
// counts.
type Quotas struct {
	CallsPerMinute  int // of tools
	ConcurrentCalls int // of tools
	// StateBytes is the budget of the keys below each writable prefix that ends in
	// ${principal}/, values and keys with the store's overhead.
	StateBytes int64
}

// Own stands for the caller's name in prefixes and in patterns of resources.
const Own = "${principal}"

// Bounds of rules.
const (
	rolesMax    = 1000
	patternsMax = 10_000 // of one role
	patternMax  = 8 << 10
)

// Check returns what is wrong with a role by itself.
func (r *Role) Check() error {
	if r.Name == "" {
		return fmt.Errorf("a role has no name")
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("role %s: %w", r.Name, fmt.Errorf(format, args...))
	}
	if len(r.Principals)+len(r.Scopes)+len(r.Tools)+len(r.Resources)+len(r.Prompts)+len(r.State) > patternsMax {
		return fail("more than %d patterns", patternsMax)
	}
	for _, p := range r.Principals {
		if err := checkPrincipal(p); err != nil {
			return fail("%w", err)
		}
	}
	for _, all := range [][]string{r.Principals, r.Scopes, r.Tools, r.Prompts} {
		for _, p := range all {
			if p == "" || len(p) > patternMax || strings.Contains(p, Own) {
				return fail("%.100q is no pattern of names here: it has 1 to %d bytes and no %s", p, patternMax, Own)
			}
		}
	}
	for _, p := range r.Resources {
		if rest := strings.ReplaceAll(p, Own, ""); p == "" || len(p) > patternMax || strings.Contains(rest, "${") {
			return fail("%.100q is no pattern of URIs: it has 1 to %d bytes, and of variables only %s", p, patternMax, Own)
		}
	}
	prefixes := map[string]bool{}
	for _, s := range r.State {
		if err := checkPrefix(s.Prefix); err != nil {
			return fail("%w", err)
		}
		if prefixes[s.Prefix] {
			return fail("the prefix %q stands twice", s.Prefix)
		}
		prefixes[s.Prefix] = true
	}
	if r.Quotas.CallsPerMinute < 0 || r.Quotas.ConcurrentCalls < 0 || r.Quotas.StateBytes < 0 {
		return fail("a quota is below 0")
	}
	if r.Quotas.StateBytes > 0 && !slices.ContainsFunc(r.State, func(s StateRule) bool { return s.Right == Write && strings.HasSuffix(s.Prefix, Own+"/") }) {
		return fail("state_bytes is a budget for each caller's own keys: give the role a prefix that ends in %s/ with the right write", Own)
	}
	return nil
}

// kinds are how callers' names begin.
var kinds = []string{"token:", "token-", "oauth:", "client:", "mtls:uri:", "mtls:dns:", "mtls:email:", "mtls:cn:"}

// checkPrincipal finds patterns that no caller has.
func checkPrincipal(p string) error {
	if strings.HasPrefix(p, "*") || matches(p, Local) || matches(p, Anonymous) {
		return nil
	}
	for _, kind := range kinds {
		if leads(p, kind) {
			return nil
		}
	}
	return fmt.Errorf("the principal %q is nobody: names begin with %s, or are %s or %s", p, strings.Join(kinds, ", "), Local, Anonymous)
}

// checkPrefix finds prefixes that would not mean what they say.
func checkPrefix(prefix string) error {
	rest := prefix
	for {
		_, after, found := strings.Cut(rest, Own)
		if !found {
			break
		}
		if !strings.HasPrefix(after, "/") {
			return fmt.Errorf("in the prefix %q a slash has to follow %s: without it ann's keys would be anna's", prefix, Own)
		}
		rest = after
	}
	if len(prefix) > patternMax || strings.Contains(strings.ReplaceAll(prefix, Own, ""), "${") {
		return fmt.Errorf("the prefix %q is not one: it has at most %d bytes, and of variables only %s", prefix, patternMax, Own)
	}
	if strings.Contains(prefix, "*") {
		return fmt.Errorf("the prefix %q is no pattern: leave the star out, it holds for all keys that begin with it", prefix)
	}
	return nil
}
