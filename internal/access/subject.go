package access

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"

	"github.com/ingot-run/ingot/mcp"
)

// subject is what rules come to for one caller. It does not change.
type subject struct {
	caller                    Caller
	roles                     []string
	tools, resources, prompts names
	spans                     []span // of keys, in order; the first begins at ""
	budgets                   []string
	quotas                    Quotas
	shared                    *usage
}

// span is the keys from one on up to the next span's.
type span struct {
	from  string
	right Right
}

// newSubject makes what some roles come to.
func newSubject(c Caller, roles []*Role) *subject {
	s := &subject{caller: c, shared: &usage{}}
	own := c.own()
	var all [][]StateRule
	for _, r := range roles {
		s.roles = append(s.roles, r.Name)
		for _, p := range r.Tools {
			s.tools.add(p)
		}
		for _, p := range r.Prompts {
			s.prompts.add(p)
		}
		for _, p := range r.Resources {
			s.resources.add(strings.ReplaceAll(p, Own, own))
		}
		var rules []StateRule
		for _, rule := range r.State {
			prefix := strings.ReplaceAll(rule.Prefix, Own, own)
			rules = append(rules, StateRule{prefix, rule.Right})
			if rule.Right == Write && r.Quotas.StateBytes > 0 && strings.HasSuffix(rule.Prefix, Own+"/") && !slices.Contains(s.budgets, prefix) {
				s.budgets = append(s.budgets, prefix)
			}
		}
		all = append(all, rules)
		s.quotas.CallsPerMinute = max(s.quotas.CallsPerMinute, r.Quotas.CallsPerMinute)
		s.quotas.ConcurrentCalls = max(s.quotas.ConcurrentCalls, r.Quotas.ConcurrentCalls)
		s.quotas.StateBytes = max(s.quotas.StateBytes, r.Quotas.StateBytes)
	}
	s.spans = spansOf(all)
	return s
}

// spansOf divides all keys where some prefix begins or ends, and says for each part what
// the most generous role grants.
func spansOf(roles [][]StateRule) []span {
	edges := []string{""}
	for _, rules := range roles {
		for _, rule := range rules {
			edges = append(edges, rule.Prefix)
			if end, bounded := behind(rule.Prefix); bounded {
				edges = append(edges, end)
			}
		}
	}
	slices.Sort(edges)
	var spans []span
	for _, edge := range slices.Compact(edges) {
		right := None
		for _, rules := range roles {
			right = max(right, rightIn(rules, edge))
		}
		if len(spans) == 0 || spans[len(spans)-1].right != right {
			spans = append(spans, span{edge, right})
		}
	}
	return spans
}

// rightIn is the right of the longest prefix of key.
func rightIn(rules []StateRule, key string) Right {
	longest, right := -1, None
	for _, rule := range rules {
		if len(rule.Prefix) > longest && strings.HasPrefix(key, rule.Prefix) {
			longest, right = len(rule.Prefix), rule.Right
		}
	}
	return right
}

// behind is the first text that comes after all that begin with prefix; false: none.
func behind(prefix string) (string, bool) {
	end := prefix
	for len(end) > 0 && end[len(end)-1] == 0xff { // strings.TrimRight would cut every byte that is no UTF-8
		end = end[:len(end)-1]
	}
	if end == "" {
		return "", false
	}
	return end[:len(end)-1] + string([]byte{end[len(end)-1] + 1}), true
}

// spanOf is the index of the span that key is in.
func (s *subject) spanOf(key string) int {
	i, found := sort.Find(len(s.spans), func(i int) int { return cmp.Compare(key, s.spans[i].from) })
	if found {
		return i
	}
	return i - 1
}

// right is what the caller may do with a key.
func (s *subject) right(key string) Right { return s.spans[s.spanOf(key)].right }

// stateURI is how the URIs of keys begin as resources.
const stateURI = "state:///"

// keyOf is the key that a URI is the resource of.
func keyOf(uri string) (string, bool) {
	rest, ok := strings.CutPrefix(uri, stateURI)
	if !ok {
		return "", false
	}
	key, err := url.PathUnescape(rest)
	return key, err == nil
}

// may reports whether the caller may have what is named.
func (s *subject) may(kind mcp.Kind, name string) bool {
	switch kind {
	case mcp.KindTool:
		return s.tools.has(name)
	case mcp.KindPrompt:
		return s.prompts.has(name)
	case mcp.KindResource:
		if !s.resources.has(name) {
			return false
		}
		if !strings.HasPrefix(name, stateURI) {
			return true
		}
		key, ok := keyOf(name)
		return ok && s.right(key) >= Read
	case mcp.KindTemplate:
		start, _, _ := strings.Cut(name, "{")
		return s.resources.leads(start)
	}
	return false
}

// roleNames says which roles the caller has.
func (s *subject) roleNames() string {
	switch len(s.roles) {
	case 0:
		return "it has no role here"
	case 1:
		return "its role " + s.roles[0] + " does not allow it"
	}
	return "its roles " + strings.Join(s.roles, ", ") + " do not allow it"
}

// refuseKey words the refusal of a key.
func (s *subject) refuseKey(key string, wanted Right) error {
	return &Error{fmt.Sprintf("%s may not %s the key %.200q: %s. Whoever runs the server can grant a prefix of it under state: of a role",
		s.caller.Name, wanted, key, s.roleNames())}
}
