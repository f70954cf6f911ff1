package guest

// Progress tells the caller how far the call is. total is 0 when it is not
// known; the message may be empty. Each report must be greater than the last.
func Progress(progress, total float64, message string) {
	hostProgress(progress, total, message)
}
