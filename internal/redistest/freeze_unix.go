//go:build unix

package redistest

import "syscall"

// Freeze stops the server as it is: its connections stay and nothing answers. Thaw
// is its partner.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }
