package command

import "fmt"

// Counted is "1 tool" or "2 tools", for words that take an s.
func Counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
