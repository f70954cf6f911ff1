package access

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/oauth"
	"github.com/ingot-run/ingot/state"
)

func as(name string) context.Context {
	if name == Anonymous {
		return context.Background()
	}
	return httpguard.WithPrincipal(context.Background(), name)
}

// expression is a pattern as a regular expression.
func expression(pattern string) *regexp.Regexp {
	text := regexp.QuoteMeta(pattern)
	text = strings.ReplaceAll(text, `\*\*`, `(?s:.*)`)
	return regexp.MustCompile(`^(?:` + strings.ReplaceAll(text, `\*`, `[^/]*`) + `)$`)
}

func word(r *rand.Rand, alphabet string, most int) string {
	var out strings.Builder
	for range r.IntN(most + 1) {
		out.WriteByte(alphabet[r.IntN(len(alphabet))])
	}
	return out.String()
}

// Patterns mean what the regular expressions mean that they stand for.
func TestPatternsAgainstExpressions(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	for range 10_000 {
		pattern, text := word(r, "ab/**", 9), word(r, "ab/", 10)
		want := expression(pattern).MatchString(text)
		require.Equal(t, want, matches(pattern, text), "%q on %q, seed %d", pattern, text, seed)
		if want {
			for i := range len(text) + 1 {
				require.True(t, leads(pattern, text[:i]), "%q begins as %q does, seed %d", text[:i], pattern, seed)
			}
		}
	}
	require.False(t, leads("a/b*", "a/c"))
	require.False(t, leads("a*", "ab/"))
}

func FuzzPatterns(f *testing.F) {
	for _, s := range [][2]string{{"a*b", "aXb"}, {"**/x", "a/b/x"}, {"***", "/"}, {"state:///user/**", "state:///user/../x"}, {strings.Repeat("*a", 30), strings.Repeat("a", 60)}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 500 || strings.ContainsRune(pattern+text, '�') || !valid(pattern+text) {
			return
		}
		if got, want := matches(pattern, text), expression(pattern).MatchString(text); got != want {
			t.Errorf("%q on %q: %v", pattern, text, got)
		}
	})
}

func valid(s string) bool { return strings.ToValidUTF8(s, "") == s }

// model is the policy as its documentation has it, without anything that makes it fast.
type model struct{ rules Rules }

func (m *model) roles(c Caller) (all []*Role) {
	for i := range m.rules.Roles {
		r := &m.rules.Roles[i]
		named := slices.ContainsFunc(r.Principals, func(p string) bool {
			return expression(p).MatchString(c.Name) || c.Client != "" && expression(p).MatchString(c.Client)
		})
		scoped := slices.ContainsFunc(r.Scopes, func(words string) bool {
			return !slices.ContainsFunc(strings.Fields(words), func(s string) bool { return !slices.Contains(c.Scopes, s) })
		})
		if named || scoped {
			all = append(all, r)
		}
	}
	for i := range m.rules.Roles {
		if r := &m.rules.Roles[i]; len(all) == 0 && r.Name == m.rules.Default {
			return []*Role{r}
		}
	}
	return all
}

func (m *model) may(c Caller, kind mcp.Kind, name string) bool {
	for _, r := range m.roles(c) {
		patterns := map[mcp.Kind][]string{mcp.KindTool: r.Tools, mcp.KindPrompt: r.Prompts, mcp.KindResource: r.Resources}[kind]
		for _, p := range patterns {
			if expression(strings.ReplaceAll(p, Own, c.own())).MatchString(name) {
				key, isKey := strings.CutPrefix(name, stateURI)
				if kind != mcp.KindResource || !isKey || m.right(c, key) >= Read {
					return true
				}
			}
		}
	}
	return false
}

func (m *model) right(c Caller, key string) (best Right) {
	for _, r := range m.roles(c) {
		longest, right := -1, None
		for _, s := range r.State {
			prefix := strings.ReplaceAll(s.Prefix, Own, c.own())
			if strings.HasPrefix(key, prefix) && len(prefix) > longest {
				longest, right = len(prefix), s.Right
			}
		}
		best = max(best, right)
	}
	return best
}

// someRules are rules at random over few letters, so that they meet.
func someRules(r *rand.Rand) Rules {
	var rules Rules
	some := func(alphabet string, most int) (all []string) {
		for range r.IntN(3) {
			if p := word(r, alphabet, most); p != "" {
				all = append(all, p)
			}
		}
		return all
	}
	for i := range 1 + r.IntN(4) {
		role := Role{Name: fmt.Sprint("r", i), Tools: some("ab*", 3), Prompts: some("ab*", 3), Scopes: some("xy", 1)}
		for range r.IntN(3) {
			role.Principals = append(role.Principals, []string{"token:a", "token:*", "oauth:a/*", "oauth:**", "client:x", "**", "local", "anonymous"}[r.IntN(8)])
		}
		for range r.IntN(3) {
			role.Resources = append(role.Resources, []string{"state:///**", "state:///a*", "x:///${principal}/*", "**", "x:///a/b"}[r.IntN(5)])
		}
		seen := map[string]bool{}
		for range r.IntN(5) {
			prefix := []string{"", "a", "a/", "ab", "a/b", "b/", "u/${principal}/", "u/", "\xff", "a\xff"}[r.IntN(10)]
			if !seen[prefix] {
				role.State = append(role.State, StateRule{prefix, Right(r.IntN(3))})
				seen[prefix] = true
			}
		}
		rules.Roles = append(rules.Roles, role)
	}
	if r.IntN(2) == 0 {
		rules.Default = "r0"
	}
	return rules
}

var someCallers = []Caller{
	{Name: "token:a"}, {Name: "token:b"}, {Name: "oauth:a/b", Client: "client:x", Scopes: []string{"x"}},
	{Name: "oauth:c", Scopes: []string{"y", "x"}}, {Name: Local}, {Name: Anonymous}, {Name: "oauth:**"},
}

// What the policy says is what the model says: for names, keys, and lists of keys.
func TestPolicyAgainstModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 2))
	store := openStore(t)
	m := state.Embed(store)
	keys := []string{"a", "ab", "abc", "a/", "a/b", "a/b/c", "a/c", "b", "b/x", "u/", "u/token:a/k", "u/token:ax", "u/oauth:a%2Fb/k", "u/oauth:a/b", "z", "\xff", "\xffa", "a\xff", "a\xff\xff"}
	for _, key := range keys {
		_, err := m.Set(t.Context(), key, []byte("v"), state.SetOptions{})
		require.NoError(t, err)
	}
	for range 60 {
		rules := someRules(r)
		p, err := Compile(rules)
		require.NoError(t, err)
		want := model{rules}
		for _, c := range someCallers {
			s := p.learn(c.Name, c)
			for _, kind := range []mcp.Kind{mcp.KindTool, mcp.KindPrompt, mcp.KindResource} {
				for _, name := range []string{"a", "b", "ab", "ba", "", "*", "x:///a/b", "x:///token:a/k", "x:///token:b/k", "state:///a", "state:///a/b", "state:///u/token:a/k"} {
					require.Equal(t, want.may(c, kind, name), s.may(kind, name), "%v %s %q of %+v, seed %d", c, kind, name, rules, seed)
				}
			}
			for _, key := range keys {
				require.Equal(t, want.right(c, key), s.right(key), "%v %q of %+v, seed %d", c, key, rules, seed)
			}
		}
		checkLists(t, m, p, &want, keys, seed)
	}
}

func checkLists(t *testing.T, m state.Manager, p *Policy, want *model, keys []string, seed uint64) {
	g := NewKeeper(p, nil).State(m)
	sorted := slices.Sorted(slices.Values(keys))
	for _, name := range []string{"token:a", "token:b", Local} {
		c, ctx := Caller{Name: name}, as(name)
		for _, prefix := range []string{"", "a", "a/", "u/token:a/", "\xff"} {
			var wanted, got []string
			for _, key := range sorted {
				if strings.HasPrefix(key, prefix) && want.right(c, key) >= Read {
					wanted = append(wanted, key)
				}
			}
			o := state.ListOptions{Prefix: prefix, Limit: 1 + int(seed%3)}
			for {
				page, err := g.List(ctx, o)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Entries), o.Limit)
				for _, e := range page.Entries {
					got = append(got, e.Key)
				}
				if o.Cursor = page.Next; o.Cursor == "" {
					break
				}
			}
			require.Equal(t, wanted, got, "%s lists %q of %+v, seed %d", name, prefix, want.rules, seed)
		}
		for _, key := range keys {
			_, err := g.Get(ctx, key)
			require.Equal(t, want.right(c, key) >= Read, err == nil, "%s reads %q, seed %d: %v", name, key, seed, err)
		}
	}
}

func openStore(t testing.TB) *engine.Store {
	t.Helper()
	store, err := engine.Open(engine.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	return store
}

// A caller's own space is nobody else's, whatever the caller is called.
func TestOwnSpaces(t *testing.T) {
	hostile := []string{
		"token:a", "token:a/", "token:a/../b", "token:b", "oauth:", "oauth:/", "oauth:%2F", "oauth:a%2Fb", "oauth:a/b", "oauth:..", "oauth:.", "oauth:**", "oauth:*",
		"oauth:${principal}", "oauth:a\x00b", "oauth:a\nb", "oauth:é", "oauth:\xff", "oauth:A", "oauth:a", "oauth:token:a", "mtls:cn:a", "client:a",
		"oauth:" + strings.Repeat("x", 300), "oauth:" + strings.Repeat("x", 301), "oauth:%sha256:" + strings.Repeat("0", 64),
	}
	seen := map[string]string{}
	for _, name := range hostile {
		own := (&Caller{Name: name}).own()
		require.NotContains(t, own, "/", name)
		require.NotContains(t, own, "*", name)
		require.NotContains(t, own, "$", name)
		require.LessOrEqual(t, len(own), ownBytesMax)
		require.Empty(t, seen[own], "%q and %q", name, seen[own])
		seen[own] = name
	}
	p, err := Compile(Rules{Roles: []Role{{
		Name: "own", Principals: []string{"**"}, Resources: []string{"x:///${principal}/**", "state:///**"},
		State: []StateRule{{"u/${principal}/", Write}},
	}}})
	require.NoError(t, err)
	for _, name := range hostile {
		for _, other := range hostile {
			key := "u/" + (&Caller{Name: other}).own() + "/k"
			require.Equal(t, name == other, p.Right(as(name), key) == Write, "%q writes %q", name, key)
			require.Equal(t, name == other, p.Allow(as(name), mcp.KindResource, "x:///"+(&Caller{Name: other}).own()+"/k") == nil)
		}
	}
}

func FuzzOwn(f *testing.F) {
	f.Add("oauth:a/b", "oauth:a%2Fb")
	f.Add("token:a", "token:a/")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := (&Caller{Name: a}).own(), (&Caller{Name: b}).own()
		if (x == y) != (a == b) || strings.ContainsAny(x, "/*$") || len(x) > ownBytesMax {
			t.Errorf("%q is %q, and %q is %q", a, x, b, y)
		}
	})
}

func TestBadRules(t *testing.T) {
	for want, r := range map[string]Rules{
		"has no name":                   {Roles: []Role{{}}},
		"two roles":                     {Roles: []Role{{Name: "a"}, {Name: "a"}}},
		"is none of the roles":          {Roles: []Role{{Name: "a"}}, Default: "b"},
		"there are none":                {Default: "b"},
		"is nobody":                     {Roles: []Role{{Name: "a", Principals: []string{"ann"}}}},
		"a slash has to follow":         {Roles: []Role{{Name: "a", State: []StateRule{{"u/${principal}", Write}}}}},
		"is no pattern: leave":          {Roles: []Role{{Name: "a", State: []StateRule{{"u/*", Write}}}}},
		"stands twice":                  {Roles: []Role{{Name: "a", State: []StateRule{{"u", Write}, {"u", Read}}}}},
		"of variables only":             {Roles: []Role{{Name: "a", State: []StateRule{{"${user}/", Write}}}}},
		"is no pattern of URIs":         {Roles: []Role{{Name: "a", Resources: []string{"x:///${user}"}}}},
		"is no pattern of names":        {Roles: []Role{{Name: "a", Tools: []string{"${principal}"}}}},
		"is a budget for each":          {Roles: []Role{{Name: "a", State: []StateRule{{"u/", Write}}, Quotas: Quotas{StateBytes: 5}}}},
		"a quota is below 0":            {Roles: []Role{{Name: "a", Quotas: Quotas{CallsPerMinute: -1}}}},
		"more than 10000 patterns":      {Roles: []Role{{Name: "a", Tools: make([]string, 10_001)}}},
		"more than 1000 roles":          {Roles: make([]Role, 1001)},
		"it has 1 to 8192 bytes and no": {Roles: []Role{{Name: "a", Tools: []string{""}}}},
		"aaaa\" is no pattern of":       {Roles: []Role{{Name: "a", Tools: []string{strings.Repeat("a", 9000)}}}},
	} {
		_, err := Compile(r)
		require.ErrorContains(t, err, want)
	}
	p, err := Compile(Rules{})
	require.NoError(t, err)
	require.NoError(t, p.Allow(t.Context(), mcp.KindTool, "any"), "without roles everybody may do everything")
	require.Equal(t, Write, p.Right(t.Context(), "any"))
}

// Everything that writes or reads a key asks for it.
func TestGuardedState(t *testing.T) {
	p, err := Compile(Rules{Roles: []Role{{
		Name: "r", Principals: []string{"token:a"}, State: []StateRule{{"mine/", Write}, {"shared/", Read}, {"mine/not/", None}},
	}}})
	require.NoError(t, err)
	k := NewKeeper(p, nil)
	inner := state.Embed(openStore(t))
	m, ctx := k.State(inner), as("token:a")
	operations := map[string]func(key string) error{
		"get":       func(key string) error { _, err := m.Get(ctx, key); return err },
		"appendget": func(key string) error { _, _, err := m.AppendGet(ctx, nil, key); return err },
		"exists":    func(key string) error { _, err := m.Exists(ctx, key); return err },
		"getmany":   func(key string) error { _, err := m.GetMany(ctx, []string{"mine/x", key}); return err },
		"check": func(key string) error {
			_, err := m.Batch(ctx, []state.Op{{Kind: state.OpCheck, Key: key}, {Kind: state.OpSet, Key: "mine/y"}})
			return err
		},
		"Set":       func(key string) error { _, err := m.Set(ctx, key, nil, state.SetOptions{}); return err },
		"Delete":    func(key string) error { _, _, err := m.Delete(ctx, key, state.DeleteOptions{}); return err },
		"CAS":       func(key string) error { _, _, err := m.CompareAndSwap(ctx, key, 1, nil); return err },
		"Increment": func(key string) error { _, _, err := m.Increment(ctx, key+"n", state.IncrementOptions{}); return err },
		"Expire":    func(key string) error { _, err := m.Expire(ctx, key, time.Hour); return err },
		"SetMany": func(key string) error {
			_, err := m.SetMany(ctx, []state.Item{{Key: "mine/z"}, {Key: key}})
			return err
		},
		"Batch": func(key string) error {
			_, err := m.Batch(ctx, []state.Op{{Kind: state.OpSet, Key: "mine/q"}, {Kind: state.OpDelete, Key: key}})
			return err
		},
		"Clear": func(key string) error { _, err := m.Clear(ctx, key); return err },
	}
	for name, do := range operations {
		writes := name[0] < 'a'
		for key, allowed := range map[string]bool{"mine/k": true, "shared/k": !writes, "mine/not/k": false, "other": false, "min": false} {
			err := do(key)
			var denied *Error
			require.Equal(t, allowed, !errors.As(err, &denied), "%s %s: %v", name, key, err)
			if !allowed {
				require.ErrorContains(t, err, "token:a may not")
				require.NotNil(t, mcpError(err))
			}
		}
	}
	require.Error(t, func() error { _, err := m.Clear(ctx, "mine/"); return err }(), "a part of it is not the caller's")
	_, err = m.Stats(ctx)
	require.Error(t, err)
	require.Positive(t, k.Denied())
	require.NoError(t, m.Close())

	w, err := m.Watch(ctx, state.WatchOptions{})
	require.NoError(t, err)
	defer w.Close()
	for _, key := range []string{"other", "mine/not/k", "shared/k"} {
		_, err := inner.Set(t.Context(), key, nil, state.SetOptions{})
		require.NoError(t, err)
	}
	e, err := w.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "shared/k", e.Key)
	k.Use(nil)
	_, err = m.Get(ctx, "other")
	require.NoError(t, err, "without a policy everything is allowed")
}

func mcpError(err error) *mcp.Error {
	e, _ := errors.AsType[*mcp.Error](err)
	return e
}

func TestQuotas(t *testing.T) {
	p, err := Compile(Rules{Roles: []Role{
		{Name: "few", Principals: []string{"token:a", "token:b"}, Quotas: Quotas{CallsPerMinute: 60, ConcurrentCalls: 2, StateBytes: 2000}, State: []StateRule{{"u/${principal}/", Write}}},
		{Name: "more", Principals: []string{"token:b"}, Quotas: Quotas{ConcurrentCalls: 3}},
	}})
	require.NoError(t, err)
	a, b := p.subject(as("token:a")), p.subject(as("token:b"))
	now := time.Unix(1000, 0)
	require.NoError(t, a.begin(now))
	require.NoError(t, a.begin(now))
	require.ErrorContains(t, a.begin(now), "concurrent_calls is 2")
	for range 3 {
		require.NoError(t, b.begin(now), "the largest quota counts, and each caller has its own")
	}
	require.ErrorContains(t, b.begin(now), "concurrent_calls is 3")
	require.False(t, a.idle())
	for range 2 {
		a.end()
	}
	for range 58 {
		require.NoError(t, a.begin(now))
		a.end()
	}
	require.ErrorContains(t, a.begin(now), "calls_per_minute of 60: try again in 1 s")
	require.NoError(t, a.begin(now.Add(time.Second)))
	a.end()
	require.Error(t, a.begin(now.Add(time.Second)))
	require.True(t, a.idle())

	m := NewKeeper(p, nil).State(state.Embed(openStore(t)))
	set := func(who, key string) error {
		_, err := m.Set(as(who), key, make([]byte, 1500), state.SetOptions{})
		return err
	}
	require.NoError(t, set("token:a", "u/token:a/1"))
	require.ErrorIs(t, set("token:a", "u/token:a/2"), state.ErrFull)
	require.NoError(t, set("token:b", "u/token:b/1"), "each caller has a budget of its own")
}

// No check of what is allowed allocates, whoever asks.
func TestAllowedChecksAllocateNothing(t *testing.T) {
	p, ctx := benchPolicy(t)
	for name, check := range checks(p, ctx) {
		check()
		require.Zero(t, testing.AllocsPerRun(100, check), name)
	}
}

func benchPolicy(t testing.TB) (*Policy, context.Context) {
	rules := Rules{Default: "role 99"}
	for i := range 100 {
		rules.Roles = append(rules.Roles, Role{
			Name: fmt.Sprint("role ", i), Principals: []string{fmt.Sprintf("token:%d*", i%10)},
			Tools: []string{"state_*", fmt.Sprint("tool_", i)}, Resources: []string{"state:///**", fmt.Sprintf("x%d:///*", i)},
			State: []StateRule{{fmt.Sprintf("shared/%d/", i), Read}, {"user/${principal}/", Write}},
		})
	}
	p, err := Compile(rules)
	require.NoError(t, err)
	return p, as("token:77")
}

func checks(p *Policy, ctx context.Context) map[string]func() {
	ask := func(kind mcp.Kind, name string) func() {
		return func() {
			if p.Allow(ctx, kind, name) != nil {
				panic(name)
			}
		}
	}
	return map[string]func(){
		"tool by name":    ask(mcp.KindTool, "tool_17"),
		"tool by pattern": ask(mcp.KindTool, "state_get"),
		"resource":        ask(mcp.KindResource, "x27:///a"),
		"key":             func() { p.Right(ctx, "user/token:77/key") },
	}
}

func BenchmarkAllow(b *testing.B) {
	p, ctx := benchPolicy(b)
	for name, check := range checks(p, ctx) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				check()
			}
		})
	}
}

// No two callers are taken for one, whatever bytes an issuer lets into their names.
func TestCallersAreToldApart(t *testing.T) {
	tokens := []*oauth.Token{
		{Subject: "a", ClientID: "b", Scopes: []string{"c"}},
		{Subject: "a", ClientID: "b\x00c"},
		{Subject: "a\x00b", ClientID: "c"},
		{Subject: "a\x00b\x00c"},
		{Subject: "a", ClientID: "b", Scopes: []string{"c", ""}},
		{Subject: "a", Scopes: []string{"b", "c"}},
		{Subject: "a\x01b"},
		{},
	}
	seen := map[string]int{string(appendKey(nil, nil, "")): -1, string(appendKey(nil, nil, "a")): -2}
	for i, token := range tokens {
		key := string(appendKey(nil, token, "a"))
		other, taken := seen[key]
		require.False(t, taken, "%d and %d are one", i, other)
		seen[key] = i
	}
}
