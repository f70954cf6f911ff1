package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Watched is a master and its replica, and a Sentinel that puts the replica in the
// master's place when that is silent for a second.
type Watched struct {
	Master, Replica, Sentinel *Server
}

// Sentinel starts a master named mymaster, a replica and a Sentinel, and waits until
// they know of each other.
func Sentinel(t testing.TB) *Watched {
	t.Helper()
	w := &Watched{Master: start(t, []string{"--appendonly", "no"})}
	w.Replica = start(t, []string{"--appendonly", "no", "--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1 " + strconv.Itoa(w.Master.Port)})
	w.Sentinel = startSentinel(t, w.Master.Port)
	for deadline := time.Now().Add(patience); ; {
		replication := w.Replica.Text("INFO", "replication")
		known := w.Sentinel.Text("SENTINEL", "REPLICAS", "mymaster")
		if strings.Contains(replication, "master_link_status:up") && strings.Contains(known, strconv.Itoa(w.Replica.Port)) {
			return w
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain until the Sentinel knows the replica", patience)
		}
		pause()
	}
}

// startSentinel starts a Sentinel, which writes what it learns into its file.
func startSentinel(t testing.TB, master int) *Server {
	t.Helper()
	for range 20 {
		port, dir := freePort(t), t.TempDir()
		file := filepath.Join(dir, "sentinel.conf")
		text := fmt.Sprintf("port %d\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 %d 1\n"+
			"sentinel down-after-milliseconds mymaster 1000\nsentinel failover-timeout mymaster 5000\n", port, master)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &Server{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Port: port, Dir: dir, t: t, file: file}
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
	t.Fatal("no free port was found for a Sentinel")
	return nil
}
