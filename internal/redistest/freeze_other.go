//go:build !unix

package redistest

// Freeze needs signals, which this system has not.
func (s *Server) Freeze() { s.t.Skip("no process can be stopped for a while here") }

// Thaw is Freeze's partner.
func (s *Server) Thaw() {}
