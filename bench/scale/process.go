package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ingot-run/ingot/bench/worker"
)

const (
	readyWithin    = time.Minute
	ticksPerSecond = 100 // USER_HZ, in which /proc counts, on every Linux that Go runs on
)

// process is one that is measured.
type process struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	origin string // of a server: http://host:port
	port   int
}

// freePort is a port that nothing listens on just now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// serve starts a server with a forge.yaml, or plain and in memory where that is empty.
func (r *runner) serve(forge string) (*process, error) {
	r.made++
	dir := filepath.Join(r.work, strconv.Itoa(r.made))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := []string{"serve", "--listen", fmt.Sprintf("127.0.0.1:%d", port)}
	if forge == "" {
		args = append(args, "--memory")
	} else {
		args = append(args, "--config", "forge.yaml")
		if err := os.WriteFile(filepath.Join(dir, "forge.yaml"), []byte(forge), 0o600); err != nil {
			return nil, err
		}
	}
	p := &process{cmd: exec.Command(r.ingot, args...), origin: fmt.Sprintf("http://127.0.0.1:%d", port), port: port}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &p.output, &p.output
	return p, p.start(func() bool {
		w, err := http.Get(p.origin + "/status")
		if err == nil {
			err = w.Body.Close()
		}
		return err == nil && w.StatusCode == http.StatusOK
	})
}

// redis starts a Redis server whose data is gone with it.
func (r *runner) redis(program string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(program, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", r.work), port: port}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	return p, p.start(func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

// start starts the process and waits until it is ready.
func (p *process) start(ready func() bool) error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	for late := time.Now().Add(readyWithin); !ready(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			p.stop()
			return fmt.Errorf("%s does not answer: %s", filepath.Base(p.cmd.Path), &p.output)
		}
	}
	return nil
}

// stop ends the process.
func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // which says that it was killed
}

// seconds is the processor time that it has taken.
func (p *process) seconds() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	const user, system = 11, 12 // behind the name, of proc(5)'s fields 14 and 15
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) <= system {
		return 0, fmt.Errorf("/proc has %q of the process", text)
	}
	sum := 0.0
	for _, field := range []string{fields[user], fields[system]} {
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, err
		}
		sum += ticks / ticksPerSecond
	}
	return sum, nil
}

// bytes is the memory that it has.
func (p *process) bytes() float64 { return float64(worker.ResidentBytes(p.cmd.Process.Pid)) }

// own is the processor time of this process.
func own() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
