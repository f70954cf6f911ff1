package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

const (
	// problemsMax bounds how many problems one error lists.
	problemsMax = 8
	// shownBytesMax bounds how much of a caller's value an error repeats.
	shownBytesMax = 80
)

// Error is what a document did wrong: at least one problem, in the order of
// the argument names.
type Error struct {
	Problems []Problem
	// Omitted counts the problems that were found but not listed.
	Omitted int
}

// Problem is one fault of one argument.
type Problem struct {
	// Argument is the path of the value, as in `options.limit` or `lines[2]`;
	// empty for the document itself.
	Argument string
	// Message says what is wrong and what would be right.
	Message string
}

// Error joins the problems with "; ".
func (e *Error) Error() string {
	parts := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		parts = append(parts, p.String())
	}
	if e.Omitted > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", e.Omitted))
	}
	return strings.Join(parts, "; ")
}

// String is `argument "name": message`, as package mcp words it too.
func (p Problem) String() string {
	if p.Argument == "" {
		return "arguments: " + p.Message
	}
	return fmt.Sprintf("argument %q: %s", p.Argument, p.Message)
}

// translate turns the validator's tree of errors into an Error. Only the leaves
// say something a caller can mend, except under anyOf and oneOf, where the
// leaves contradict each other and the branch itself is the problem.
func (p *program) translate(err error) error {
	var verr *jsonschema.ValidationError
	if !errors.As(err, &verr) {
		return err
	}
	var all []Problem
	p.collect(verr, &all)
	sort.SliceStable(all, func(i, j int) bool { return all[i].Argument < all[j].Argument })
	all = unique(all)
	e := &Error{Problems: all}
	if len(all) > problemsMax {
		e.Problems, e.Omitted = all[:problemsMax], len(all)-problemsMax
	}
	return e
}

// collect appends the problems of one node of the tree.
func (p *program) collect(e *jsonschema.ValidationError, all *[]Problem) {
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		*all = append(*all, Problem{path(e.InstanceLocation), p.alternatives(e)})
		return
	case *kind.Required:
		for _, name := range k.Missing {
			*all = append(*all, Problem{child(e.InstanceLocation, name), "is missing"})
		}
		return
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			*all = append(*all, Problem{child(e.InstanceLocation, name), "is not known" + p.didYouMean(e.SchemaURL, name)})
		}
		return
	}
	if len(e.Causes) == 0 {
		*all = append(*all, Problem{path(e.InstanceLocation), describe(e.ErrorKind)})
	}
	for _, c := range e.Causes {
		p.collect(c, all)
	}
}

// alternatives says what the branches of an anyOf or oneOf wanted.
func (p *program) alternatives(e *jsonschema.ValidationError) string {
	if one, ok := e.ErrorKind.(*kind.OneOf); ok && len(one.Subschemas) > 1 {
		return "matches more than one of the allowed forms, but must match exactly one"
	}
	var wants []string
	for _, branch := range e.Causes {
		var inner []Problem
		p.collect(branch, &inner)
		if len(inner) > 0 && len(wants) < 4 {
			wants = append(wants, cut(inner[0].String(), 2*shownBytesMax))
		}
	}
	return "matches none of the allowed forms (" + strings.Join(wants, " | ") + ")"
}

// describe words one leaf.
func describe(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("must be %s, not %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		return fmt.Sprintf("must be one of %s, not %s", showAll(k.Want), show(k.Got))
	case *kind.Const:
		return fmt.Sprintf("must be %s, not %s", show(k.Want), show(k.Got))
	case *kind.FalseSchema:
		return "is not allowed"
	case *kind.RefCycle:
		return "cannot be checked: the schema's $ref leads back to itself"
	case *kind.Pattern:
		return fmt.Sprintf("must match the pattern %s, which %s does not", k.Want, show(k.Got))
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters, not %d", k.Want, k.Got)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters, not %d", k.Want, k.Got)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items, not %d", k.Want, k.Got)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items, not %d", k.Want, k.Got)
	case *kind.Minimum:
		return fmt.Sprintf("must be at least %s, not %s", number(k.Want), number(k.Got))
	case *kind.Maximum:
		return fmt.Sprintf("must be at most %s, not %s", number(k.Want), number(k.Got))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("must be more than %s, not %s", number(k.Want), number(k.Got))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("must be less than %s, not %s", number(k.Want), number(k.Got))
	case *kind.MultipleOf:
		return fmt.Sprintf("must be a multiple of %s, not %s", number(k.Want), number(k.Got))
	case *kind.UniqueItems:
		return fmt.Sprintf("must not repeat an item, but items %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	default:
		return bound(k.LocalizedString(message.NewPrinter(language.English)))
	}
}

// didYouMean names the property of the schema at url that is nearest to name,
// if one is near.
func (p *program) didYouMean(url, name string) string {
	sub := p.byLocation[url]
	if sub == nil || len(name) > shownBytesMax {
		return ""
	}
	best, nearest := "", 3
	for known := range sub.Properties {
		if d := distance(name, known); d < nearest || d == nearest && best != "" && known < best {
			best, nearest = known, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// distance is the Levenshtein distance of two short names, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// child is the path of a named member of the value at tokens.
func child(tokens []string, name string) string {
	return path(append(slices.Clone(tokens), name))
}

// path writes an instance location as a person would.
func path(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		switch {
		case t != "" && strings.Trim(t, "0123456789") == "" && b.Len() > 0:
			b.WriteString("[" + t + "]")
		case b.Len() > 0:
			b.WriteString("." + bound(t))
		default:
			b.WriteString(bound(t))
		}
	}
	return b.String()
}

// number writes an exact fraction as people do.
func number(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// show is a value as JSON, cut to a bound.
func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("a %T", v)
	}
	return bound(string(b))
}

// showAll is a list of values as JSON, cut to a bound.
func showAll(vs []any) string {
	parts := make([]string, 0, len(vs))
	for _, v := range vs {
		if len(parts) == 16 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, show(v))
	}
	return strings.Join(parts, ", ")
}

// bound cuts s to shownBytesMax.
func bound(s string) string { return cut(s, shownBytesMax) }

// cut shortens s to at most n bytes, at a character boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// unique drops neighbours that say the same.
func unique(all []Problem) []Problem {
	kept := all[:0]
	for i, p := range all {
		if i == 0 || p != all[i-1] {
			kept = append(kept, p)
		}
	}
	return kept
}
