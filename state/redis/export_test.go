package redis

// WithClock makes the store live on the clock of a test instead of the server's.
func WithClock(o Options, now func() int64) Options {
	o.now = now
	return o
}
