package check

import "strings"

// Bounds of a difference.
const (
	diffLinesMax = 1000 // of each text; the table of lengths has their product
	contextLines = 3
)

// Diff shows how got differs from what was expected, a line each: "- " begins one that
// is missing, "+ " one that is too much, and two blanks one that both have.
func Diff(expected, got string) string {
	a, b := lines(expected), lines(got)
	all := edits(a, b)
	var out strings.Builder
	out.WriteString("--- expected\n+++ got")
	kept := near(all)
	for i, line := range all {
		switch {
		case kept[i]:
			out.WriteString("\n" + line)
		case i == 0 || kept[i-1]:
			out.WriteString("\n  …")
		}
	}
	return out.String()
}

// lines are those of a text, the last ones left out of one that is too long.
func lines(text string) []string {
	if len(text) > 64*shownMax {
		text = strings.ToValidUTF8(text[:64*shownMax], "") + "…"
	}
	all := strings.Split(text, "\n")
	if len(all) > diffLinesMax {
		all = append(all[:diffLinesMax:diffLinesMax], "…")
	}
	return all
}

// edits are the lines of both texts, by their longest common subsequence.
func edits(a, b []string) (out []string) {
	length := make([][]int, len(a)+1) // of what a[i:] and b[j:] have in common
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, "  "+a[i])
			i++
			j++
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}

// near says which lines are differences or stand close to one.
func near(all []string) []bool {
	kept := make([]bool, len(all))
	for i, line := range all {
		if line[0] == ' ' {
			continue
		}
		for k := max(0, i-contextLines); k <= min(len(all)-1, i+contextLines); k++ {
			kept[k] = true
		}
	}
	return kept
}
