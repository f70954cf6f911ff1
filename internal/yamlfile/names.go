package yamlfile

import (
	"fmt"
	"strings"
)

// namesListedMax is how many names an error lists.
const namesListedMax = 24

// Nearest proposes the name that was probably meant, as ": did you mean "x"?", or
// lists all, as ": it has x, y".
func Nearest(name string, names []string) string {
	if best := Closest(name, names); best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	if len(names) == 0 {
		return ""
	}
	more := ""
	if len(names) > namesListedMax {
		more = fmt.Sprintf(" and %d more", len(names)-namesListedMax)
		names = names[:namesListedMax]
	}
	return ": it has " + strings.Join(names, ", ") + more
}

// Closest is the name that was probably meant, or empty: one that differs by at most
// two letters, or that begins as the name does (int, integer).
func Closest(name string, names []string) string {
	best, bestDistance := "", 3
	lower := strings.ToLower(name)
	for _, n := range names {
		if d := distance(lower, strings.ToLower(n)); d < bestDistance && d < len(n) {
			best, bestDistance = n, d
		}
	}
	if best != "" || len(lower) < 3 {
		return best
	}
	for _, n := range names {
		if strings.HasPrefix(n, lower) {
			return n
		}
	}
	return ""
}

// distance is how many letters have to be added, removed, changed or swapped to
// make a of b (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 64
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// OrList is "a, b or c".
func OrList(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
