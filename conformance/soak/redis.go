package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// redisServer is a Redis server that has each write on its disk before it answers.
type redisServer struct {
	program, dir string
	port         int
	cmd          *exec.Cmd
	log          *tail
}

func newRedis(program, dir string) (*redisServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &redisServer{program: program, dir: dir, port: port}
	return r, errors.Join(os.MkdirAll(dir, 0o700), r.start())
}

func (r *redisServer) url() string { return fmt.Sprintf("redis://127.0.0.1:%d/0", r.port) }

func (r *redisServer) start() error {
	r.log = &tail{}
	r.cmd = exec.Command(r.program, "--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	if err := r.cmd.Start(); err != nil {
		return err
	}
	for late := time.Now().Add(readyWithin); !r.log.contains("Ready to accept connections"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			return fmt.Errorf("redis-server is not ready: %s", r.log)
		}
	}
	return nil
}

// stop kills it.
func (r *redisServer) stop() error {
	if r.cmd == nil || r.cmd.Process == nil || r.cmd.ProcessState != nil {
		return nil
	}
	err := r.cmd.Process.Kill()
	_ = r.cmd.Wait() // which says that it was killed
	return err
}

// killBackend kills the Redis server of a site and starts it again.
func (s *site) killBackend(ctx context.Context, random *rand.Rand) error {
	s.backend.down()
	if err := s.world.redis.stop(); err != nil {
		return err
	}
	s.tally.event("state killed")
	pause(ctx, random)
	if err := s.world.redis.start(); err != nil {
		return err
	}
	if err := s.audit(); err != nil { // which waits until the server has found it again
		return err
	}
	s.backend.up()
	return nil
}
