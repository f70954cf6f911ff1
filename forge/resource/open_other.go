//go:build !unix

package resource

// openNonblock does nothing where there are no pipes among the files.
const openNonblock = 0
