package redistest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Do sends a command to the server and returns its reply: a string, an int64, nil,
// or a []any of those. An error that the server answers is an error.
func (s *Server) Do(args ...string) (any, error) {
	conn, err := net.DialTimeout("tcp", s.Address, patience)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return nil, err
	}
	return reply(bufio.NewReader(conn))
}

// Text is Do for a command that answers a text; the test ends where it does not.
func (s *Server) Text(args ...string) string {
	s.t.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		s.t.Fatalf("%q at %s: %v", args, s.Address, err)
	}
	return fmt.Sprint(answer)
}

// reply reads a reply in the second version of redis' protocol. Source: the
// specification "RESP protocol spec".
func reply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return nil, io.ErrUnexpectedEOF
	}
	head, rest := line[0], line[1:]
	switch head {
	case '+':
		return rest, nil
	case '-':
		return nil, fmt.Errorf("redis answers: %s", rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n < 0 || head != '$' && head != '*' {
		return nil, err
	}
	if head == '$' {
		data := make([]byte, n+2)
		_, err := io.ReadFull(r, data)
		return string(data[:n]), err
	}
	all := make([]any, n)
	for i := range all {
		if all[i], err = reply(r); err != nil {
			return nil, err
		}
	}
	return all, nil
}
