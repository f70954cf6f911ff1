package streamable

// Sessions is how many legacy sessions there are now. Clients of the modern era have none.
func (h *Handler) Sessions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sessions)
}
