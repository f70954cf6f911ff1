package sse

// Sessions is how many clients are connected now.
func (h *Handler) Sessions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}
