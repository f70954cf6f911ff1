//go:build !amd64 || purego

package mcp

// skipPlain returns the index of the first byte from i on that is a quote, a
// backslash, a control character or not ASCII.
func skipPlain(d []byte, i int) int { return skipWords(d, i) }
