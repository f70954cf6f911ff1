package access

import (
	"slices"
	"strings"
)

// matches reports whether a pattern is that of the whole text: * is any run of bytes
// without a slash, ** any run. It takes at most len(pattern) times len(text) steps.
func matches(pattern, text string) bool {
	p, t := 0, 0
	star, starText := -1, 0     // the last * and where it ends in text
	double, doubleText := -1, 0 // the last ** likewise
	for t < len(text) {
		switch {
		case strings.HasPrefix(pattern[p:], "**"):
			double, doubleText, star = p, t, -1
			p += 2
		case p < len(pattern) && pattern[p] == '*':
			star, starText = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p, t = p+1, t+1
		case star >= 0 && text[starText] != '/':
			starText++
			p, t = star+1, starText
		case double >= 0:
			doubleText++
			p, t, star = double+2, doubleText, -1
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// leads reports whether the pattern matches some text that begins with start.
func leads(pattern, start string) bool {
	at := map[int]bool{} // where in the pattern one may be
	var reach func(p int)
	reach = func(p int) {
		if at[p] {
			return
		}
		at[p] = true
		switch {
		case strings.HasPrefix(pattern[p:], "**"):
			reach(p + 2)
		case p < len(pattern) && pattern[p] == '*':
			reach(p + 1)
		}
	}
	reach(0)
	for i := range len(start) {
		before := at
		at = map[int]bool{}
		for p := range before {
			switch {
			case strings.HasPrefix(pattern[p:], "**"):
				reach(p)
			case p < len(pattern) && pattern[p] == '*':
				if start[i] != '/' {
					reach(p)
				}
			case p < len(pattern) && pattern[p] == start[i]:
				reach(p + 1)
			}
		}
	}
	return len(at) > 0
}

// names are patterns made ready: those without a star are looked up, and of others it is
// looked first how they begin.
type names struct {
	exact    map[string]bool
	patterns []pattern
	all      bool
}

// pattern is one with a star.
type pattern struct {
	text  string
	start string // what stands before the first star
	kind  patternKind
}

type patternKind uint8

const (
	patternAny   patternKind = iota
	patternBelow             // the start and **
	patternIn                // the start and *
)

// add adds a pattern.
func (n *names) add(text string) {
	start, rest, starred := strings.Cut(text, "*")
	switch {
	case text == "**":
		n.all = true
	case starred:
		p := pattern{text: text, start: start}
		switch rest {
		case "*":
			p.kind = patternBelow
		case "":
			p.kind = patternIn
		}
		if !slices.Contains(n.patterns, p) {
			n.patterns = append(n.patterns, p)
		}
	default:
		if n.exact == nil {
			n.exact = map[string]bool{}
		}
		n.exact[text] = true
	}
}

// has reports whether one of the patterns is that of a name.
func (n *names) has(name string) bool {
	if n.all || n.exact[name] {
		return true
	}
	for i := range n.patterns {
		if n.patterns[i].has(name) {
			return true
		}
	}
	return false
}

func (p *pattern) has(name string) bool {
	if !strings.HasPrefix(name, p.start) {
		return false
	}
	switch p.kind {
	case patternBelow:
		return true
	case patternIn:
		return strings.IndexByte(name[len(p.start):], '/') < 0
	}
	return matches(p.text, name)
}

// leads reports whether one of the patterns matches some text that begins with start.
func (n *names) leads(start string) bool {
	if n.all {
		return true
	}
	for name := range n.exact {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return slices.ContainsFunc(n.patterns, func(p pattern) bool { return leads(p.text, start) })
}
