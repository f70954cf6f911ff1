//go:build !purego

package mcp

// hasBlocks says that skipBlocks is there.
const hasBlocks = true

// skipBlocks returns how many bytes of text, of which there are n, come before
// the first that skipPlain stops at, looking at whole blocks only. It is in
// skip_amd64.s and needs SSE2, which each amd64 has.
//
//go:noescape
func skipBlocks(text *byte, n int) int
