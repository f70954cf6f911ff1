package message

// vetted is for `go vet`, and would bring fmt.
func vetted(string, ...any) {}
