package mcp

// nearest returns the candidate with the fewest single-letter edits to name,
// or "" when none is near: more than a third of the name's letters, or two
// edits for a short name. Case counts as no difference here, since the usual
// slip is the case of a letter.
func nearest(name string, candidates func(yield func(string) bool)) string {
	limit := max(2, len(name)/3)
	if len(name) > nearestLengthMax {
		return ""
	}
	best, bestDistance := "", limit+1
	for c := range candidates {
		if gap := len(c) - len(name); gap > limit || -gap > limit {
			continue
		}
		if d := editDistance(name, c); d < bestDistance || d == bestDistance && c < best {
			best, bestDistance = c, d
		}
	}
	return best
}

// nearestLengthMax bounds the work spent on a hint; the longest name that a
// tool may have is 128.
const nearestLengthMax = 128

// editDistance is the optimal string alignment distance (insert, delete,
// replace, swap two neighbours), with letters compared without case.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if lower(a[i-1]) == lower(b[j-1]) {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && lower(a[i-1]) == lower(b[j-2]) && lower(a[i-2]) == lower(b[j-1]) {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func lower(c byte) byte {
	if c-'A' < 26 {
		c |= 0x20
	}
	return c
}
