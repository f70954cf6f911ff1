// Package redistest starts redis servers for tests: one (Single), one behind a
// Sentinel (Sentinel) or a cluster (Cluster), with their data in a directory of the test, and ends them with it. A
// test may kill a server, freeze it and start it again.
//
//	func TestSomething(t *testing.T) {
//		server := redistest.Single(t)
//		… "redis://" + server.Address …
//	}
//
// # Caveats
//
// Where redis-server is not installed, the test is skipped, unless INGOT_REDIS_REQUIRE
// is 1: then it fails.
package redistest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait.
const patience = 2 * time.Minute

// Server is a redis-server process.
type Server struct {
	Address string // host:port
	Port    int
	Dir     string // its data and its log

	t    testing.TB
	args []string
	file string // configuration of a Sentinel; empty for a server

	mu      sync.Mutex
	process *exec.Cmd
	exited  chan struct{}
}

// Require skips the test where there is no redis-server, or fails it where there
// must be one.
func Require(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err == nil {
		return path
	}
	if os.Getenv("INGOT_REDIS_REQUIRE") == "1" {
		t.Fatalf("redis-server is needed here: %v (make tools installs it)", err)
	}
	t.Skip("redis-server is not installed (make tools installs it)")
	return ""
}

// Single starts a server that writes every change to its append-only file before it
// answers. Options of redis-server may follow, like "--requirepass", "secret".
func Single(t testing.TB, options ...string) *Server {
	t.Helper()
	return start(t, append([]string{"--appendonly", "yes", "--appendfsync", "always"}, options...))
}

// start starts a server on a free port, another one where somebody else was faster.
func start(t testing.TB, options []string) *Server {
	t.Helper()
	Require(t)
	for range 20 {
		port := freePort(t)
		s := &Server{
			Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Port: port, Dir: t.TempDir(), t: t,
			args: append([]string{"--cluster-port", strconv.Itoa(busPort(port)), "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "yes"}, options...),
		}
		err := s.run()
		if err == nil {
			t.Cleanup(s.stop)
			return s
		}
		s.stop()
		if !strings.Contains(err.Error(), "in use") {
			t.Fatal(err)
		}
	}
	t.Fatal("no free port was found for redis-server")
	return nil
}

// freePort is a port that nobody listens on, nor on the one of the cluster's bus.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		bus, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(busPort(port))))
		if err == nil {
			bus.Close()
			return port
		}
	}
	t.Fatal("no free port was found")
	return 0
}

// busPort is where a node of a cluster listens for the others.
func busPort(port int) int {
	if port > 40000 {
		return port - 20000
	}
	return port + 10000
}

// run starts the process and waits until it answers.
func (s *Server) run() error {
	var log bytes.Buffer
	args := append([]string{"--dir", s.Dir, "--logfile", "redis.log"}, s.args...)
	if s.file != "" {
		args = append([]string{s.file, "--sentinel"}, args...)
	}
	cmd := exec.Command("redis-server", args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() { // ends with the process, which stop and Kill end
		_ = cmd.Wait()
		close(exited)
	}()
	s.mu.Lock()
	s.process, s.exited = cmd, exited
	s.mu.Unlock()
	for deadline := time.Now().Add(patience); ; {
		select {
		case <-exited:
			text, _ := os.ReadFile(filepath.Join(s.Dir, "redis.log"))
			return fmt.Errorf("redis-server ended: %s%s", log.Bytes(), text)
		default:
		}
		if listening(s.Port) {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("redis-server does not listen")
		}
		pause()
	}
}

// pause is between two looks at a condition.
func pause() { time.Sleep(10 * time.Millisecond) }

// listening reports whether somebody accepts connections.
func listening(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// signal sends a signal to the process, if it runs.
func (s *Server) signal(signal os.Signal) (exited chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Process.Signal(signal)
	}
	return s.exited
}

// Kill ends the server as kill -9 does, and waits until it is gone.
func (s *Server) Kill() {
	s.t.Helper()
	if exited := s.signal(os.Kill); exited != nil {
		<-exited
	}
}

func (s *Server) stop() {
	if exited := s.signal(os.Kill); exited != nil {
		<-exited
	}
}

// Restart starts a server again that was killed, on its port and its data.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.run(); err != nil {
		s.t.Fatal(err)
	}
}

// URL is the server's for the state backend.
func (s *Server) URL() string { return "redis://" + s.Address }
