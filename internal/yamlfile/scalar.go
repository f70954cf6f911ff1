package yamlfile

import (
	"math"
	"math/big"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Scalar is the text of a single value, with variables put in. shown is what may
// stand in an error: the text of the file, without the variables' values.
func (r *Reader) Scalar(n *Node, what string) (text, shown string, ok bool) {
	x := r.Resolve(n)
	switch {
	case x == nil:
		return "", "", false
	case x.Kind != yaml.ScalarNode:
		r.Fault(n, "%s has to be a single value, not %s", what, kindOf(x))
		return "", "", false
	case x.Tag == "!!null":
		r.Fault(n, "%s has no value", what)
		return "", "", false
	}
	text, ok = r.Expand(n, x.Value)
	return text, x.Value, ok
}

// Expand puts variables of the environment in.
func (r *Reader) Expand(n *Node, s string) (string, bool) {
	if !strings.Contains(s, "${") {
		return s, true
	}
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
		if file, ok := strings.CutPrefix(inner, "file:"); ok && closed {
			value, err := r.secretFile(file)
			if err != nil {
				r.Fault(n, "the secret ${file:%s} cannot be read: %v", file, err)
				return "", false
			}
			if r.Escape != nil {
				value = r.Escape(value)
			}
			out.WriteString(value)
			s = after
			continue
		}
		name, def, hasDefault := strings.Cut(inner, ":-")
		if !closed || !IsVariable(name) {
			r.Fault(n, "a variable is written ${NAME} or ${NAME:-default}, the text of a file ${file:PATH}; $${ is for a plain ${")
			return "", false
		}
		value, set, err := r.variable(name)
		if err != nil {
			r.Fault(n, "%v", err)
			return "", false
		}
		switch {
		case set && (value != "" || !hasDefault):
			r.Secret(value, "${"+name+"}")
			if r.Escape != nil {
				value = r.Escape(value)
			}
			out.WriteString(value)
		case hasDefault:
			out.WriteString(def)
		default:
			r.Fault(n, "the environment variable %s is not set: set it, or give a default as ${%s:-…}", name, name)
			return "", false
		}
		s = after
	}
}

// LookupEnv finds a variable of the environment. Its value is a secret from then on.
func (s *Set) LookupEnv(name string) (value string, found bool) {
	value, found = s.lookup(name)
	if found {
		s.Secret(value, "${"+name+"}")
	}
	return value, found
}

// IsVariable says whether a name is one of an environment variable.
func IsVariable(name string) bool {
	for i, c := range []byte(name) {
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return name != ""
}

// Text reads a text.
func (r *Reader) Text(what string, to *string) func(*Node) {
	return func(n *Node) {
		if s, _, ok := r.Scalar(n, what); ok {
			*to = s
		}
	}
}

// Path reads a path; one that is relative is so to the file's folder.
func (r *Reader) Path(what string, to *string) func(*Node) {
	return func(n *Node) {
		s, _, ok := r.Scalar(n, what)
		switch {
		case !ok:
		case s == "":
			r.Fault(n, "%s is empty", what)
		case filepath.IsAbs(s):
			*to = s
		default:
			*to = filepath.Join(r.Dir, s)
		}
	}
}

// Texts reads a list of texts.
func (r *Reader) Texts(what string, to *[]string) func(*Node) {
	return func(n *Node) {
		r.List(n, what, func(n *Node) {
			var s string
			r.Text("an element of "+what, &s)(n)
			*to = append(*to, s)
		})
	}
}

// Choice reads one of some words.
func (r *Reader) Choice(what string, words []string, chosen func(int)) func(*Node) {
	return func(n *Node) {
		s, shown, ok := r.Scalar(n, what)
		if !ok {
			return
		}
		for i, w := range words {
			if s == w {
				chosen(i)
				return
			}
		}
		guess := ""
		if best := Closest(shown, words); best != "" {
			guess = "; did you mean " + strconv.Quote(best) + "?"
		}
		r.Fault(n, "%s is %q: it has to be %s%s", what, shown, OrList(words), guess)
	}
}

// Boolean reads true or false.
func (r *Reader) Boolean(what string, to *bool) func(*Node) {
	return r.Choice(what, []string{"false", "true"}, func(i int) { *to = i == 1 })
}

// sizeUnits are what may stand behind the number of a size.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}

// Size reads a number of bytes, at least 1.
func (r *Reader) Size(what string, to *uint64) func(*Node) {
	return func(n *Node) {
		s, shown, ok := r.Scalar(n, what)
		if !ok {
			return
		}
		for _, u := range sizeUnits {
			number, ok := strings.CutSuffix(s, u.name)
			if !ok {
				continue
			}
			v, good := new(big.Rat).SetString(strings.TrimSpace(number))
			if !good || len(number) > 32 || strings.ContainsAny(number, "eE/_+-") {
				break
			}
			v.Mul(v, new(big.Rat).SetInt64(u.bytes))
			if !v.IsInt() || v.Sign() <= 0 || !v.Num().IsInt64() {
				break
			}
			*to = v.Num().Uint64()
			return
		}
		r.Fault(n, "%s is %q: a size is a number above 0 with B, kB, KiB, MB, MiB, GB or GiB behind it, as 64MiB", what, shown)
	}
}

// Count reads a whole number from least to most.
func (r *Reader) Count(what string, least, most uint64, set func(uint64)) func(*Node) {
	return func(n *Node) {
		s, shown, ok := r.Scalar(n, what)
		if !ok {
			return
		}
		v, err := strconv.ParseUint(strings.ReplaceAll(s, "_", ""), 10, 64)
		if err != nil || v < least || v > most {
			r.Fault(n, "%s is %q: it has to be a whole number from %d to %d", what, shown, least, most)
			return
		}
		set(v)
	}
}

// Number reads a whole number from 1 on.
func (r *Reader) Number(what string, to *uint64) func(*Node) {
	return r.Count(what, 1, math.MaxInt64, func(v uint64) { *to = v })
}

// Small reads a whole number from 1 on that an int of 32 bits holds.
func (r *Reader) Small(what string, to *int) func(*Node) {
	return r.Count(what, 1, math.MaxInt32, func(v uint64) { *to = int(v) })
}

// Duration reads a time span, as Go writes it.
func (r *Reader) Duration(what string, to *time.Duration) func(*Node) {
	return func(n *Node) {
		s, shown, ok := r.Scalar(n, what)
		if !ok {
			return
		}
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			r.Fault(n, "%s is %q: a duration is a number above 0 with ms, s, m or h behind it, as 2s or 1m30s", what, shown)
			return
		}
		*to = d
	}
}

// Variables reads texts by name.
func (r *Reader) Variables(what string, to *map[string]string) func(*Node) {
	return func(n *Node) {
		*to = map[string]string{}
		r.Members(n, what, nil, func(key, value *Node) {
			if r.place != nil {
				r.place.note(what+"."+key.Value, value)
			}
			var text string
			r.Text(what+" "+strconv.Quote(key.Value), &text)(value)
			(*to)[key.Value] = text
		})
	}
}
