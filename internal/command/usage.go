package command

// UsageError is an option whose value cannot be used: the command line is wrong,
// and the exit code is [ExitUsage].
type UsageError struct {
	// Text says which option, what is wrong with it, and what would be right.
	Text string
}

// Error is the text.
func (e *UsageError) Error() string { return e.Text }

// Usage makes a UsageError.
func Usage(text string) error { return &UsageError{Text: text} }
