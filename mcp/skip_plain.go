//go:build !amd64 || purego

package mcp

// hasBlocks says that there is no skipBlocks.
const hasBlocks = false

// skipBlocks is never called.
func skipBlocks(*byte, int) int { return 0 }
