package grants

import (
	"math"
	"math/big"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// scalar is the text of a single value, with variables put in. shown is what may
// stand in an error: the text of the file, without the variables' values.
func (r *reader) scalar(n ast.Node, what string) (text, shown string, ok bool) {
	x := r.resolve(n)
	switch x := x.(type) {
	case nil:
		return "", "", false
	case *ast.NullNode:
		r.fault(n, "%s has no value", what)
		return "", "", false
	case *ast.LiteralNode:
		shown = x.Value.Value
	case *ast.StringNode:
		shown = x.Value
	case ast.ScalarNode:
		shown = x.GetToken().Value
	default:
		r.fault(n, "%s is a single value, not %s", what, kindOf(x))
		return "", "", false
	}
	text, ok = r.expand(n, shown)
	return text, shown, ok
}

// secretBytesMin is from which length on a variable's value is kept out of errors;
// a shorter one could be a part of any word.
const secretBytesMin = 4

// expand puts environment variables in.
func (r *reader) expand(n ast.Node, s string) (string, bool) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		if !found {
			out.WriteString(s)
			return out.String(), true
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			out.WriteString(escaped + "${")
			s = rest
			continue
		}
		out.WriteString(before)
		inner, after, closed := strings.Cut(rest, "}")
		name, def, hasDefault := strings.Cut(inner, ":-")
		if !closed || !isVariable(name) {
			r.fault(n, "a variable is written ${NAME} or ${NAME:-default}; $${ is for a plain ${")
			return "", false
		}
		value, set := r.lookup(name)
		switch {
		case set && (value != "" || !hasDefault):
			out.WriteString(value)
			if len(value) >= secretBytesMin {
				r.expanded[value] = "${" + name + "}"
			}
		case hasDefault:
			out.WriteString(def)
		default:
			r.fault(n, "the environment variable %s is not set: set it, or give a default as ${%s:-…}", name, name)
			return "", false
		}
		s = after
	}
}

// isVariable says whether a name is one of an environment variable.
func isVariable(name string) bool {
	for i, c := range []byte(name) {
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return name != ""
}

// text reads a text.
func (r *reader) text(what string, to *string) func(ast.Node) {
	return func(n ast.Node) {
		if s, _, ok := r.scalar(n, what); ok {
			*to = s
		}
	}
}

// path reads a path; one that is relative is so to the file's folder.
func (r *reader) path(what string, to *string) func(ast.Node) {
	return func(n ast.Node) {
		s, _, ok := r.scalar(n, what)
		switch {
		case !ok:
		case s == "":
			r.fault(n, "%s is empty", what)
		case filepath.IsAbs(s):
			*to = s
		default:
			*to = filepath.Join(r.dir, s)
		}
	}
}

// texts reads a list of texts.
func (r *reader) texts(what string, to *[]string) func(ast.Node) {
	return func(n ast.Node) {
		r.list(n, what, func(n ast.Node) {
			var s string
			r.text("an element of "+what, &s)(n)
			*to = append(*to, s)
		})
	}
}

// choice reads one of some words.
func (r *reader) choice(what string, words []string, chosen func(int)) func(ast.Node) {
	return func(n ast.Node) {
		s, shown, ok := r.scalar(n, what)
		if !ok {
			return
		}
		for i, w := range words {
			if s == w {
				chosen(i)
				return
			}
		}
		r.fault(n, "%s is %q: it is %s", what, shown, orList(words))
	}
}

// orList is "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// boolean reads true or false.
func (r *reader) boolean(what string, to *bool) func(ast.Node) {
	return r.choice(what, []string{"false", "true"}, func(i int) { *to = i == 1 })
}

// sizeUnits are what may stand behind the number of a size.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}

// size reads a number of bytes, at least 1.
func (r *reader) size(what string, to *uint64) func(ast.Node) {
	return func(n ast.Node) {
		s, shown, ok := r.scalar(n, what)
		if !ok {
			return
		}
		for _, u := range sizeUnits {
			number, ok := strings.CutSuffix(s, u.name)
			if !ok {
				continue
			}
			v, good := new(big.Rat).SetString(strings.TrimSpace(number))
			if !good || strings.ContainsAny(number, "eE/_+-") {
				break
			}
			v.Mul(v, new(big.Rat).SetInt64(u.bytes))
			if !v.IsInt() || v.Sign() <= 0 || !v.Num().IsInt64() {
				break
			}
			*to = v.Num().Uint64()
			return
		}
		r.fault(n, "%s is %q: a size is a number above 0 with B, kB, KiB, MB, MiB, GB or GiB behind it, as 64MiB", what, shown)
	}
}

// count reads a whole number from 1 on.
func (r *reader) count(what string, most uint64, set func(uint64)) func(ast.Node) {
	return func(n ast.Node) {
		s, shown, ok := r.scalar(n, what)
		if !ok {
			return
		}
		v, err := strconv.ParseUint(strings.ReplaceAll(s, "_", ""), 10, 64)
		if err != nil || v == 0 || v > most {
			r.fault(n, "%s is %q: it is a whole number from 1 to %d", what, shown, most)
			return
		}
		set(v)
	}
}

func (r *reader) number(what string, to *uint64) func(ast.Node) {
	return r.count(what, math.MaxInt64, func(v uint64) { *to = v })
}

func (r *reader) small(what string, to *int) func(ast.Node) {
	return r.count(what, math.MaxInt32, func(v uint64) { *to = int(v) })
}

// duration reads a time span, as Go writes it.
func (r *reader) duration(what string, to *time.Duration) func(ast.Node) {
	return func(n ast.Node) {
		s, shown, ok := r.scalar(n, what)
		if !ok {
			return
		}
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			r.fault(n, "%s is %q: a duration is a number above 0 with ms, s, m or h behind it, as 2s or 1m30s", what, shown)
			return
		}
		*to = d
	}
}

// variables reads texts by name.
func (r *reader) variables(what string, to *map[string]string) func(ast.Node) {
	return func(n ast.Node) {
		values, ok := r.mapping(n, what)
		if !ok {
			return
		}
		*to = map[string]string{}
		for _, v := range values {
			name, ok := r.keyName(v)
			if !ok {
				continue
			}
			var text string
			r.text(what+" "+strconv.Quote(name), &text)(v.Value)
			(*to)[name] = text
		}
	}
}
