package forge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// redisEffects are those of the backend redis: what a server of its protocol is asked
// when a project is opened. TestSharedState has servers that do what they are asked.
func redisEffects() []effect {
	const file = "state: {backend: redis, url: 'redis://REDIS/0', cache_size: 100}"
	return []effect{{
		file: file, see: asked, unopened: true,
		shows: map[string]string{"state.cache_size": "CLIENT TRACKING ON", "state.url": "HELLO 3"},
	}}
}

func asked(w *world) string {
	if w.redis == nil {
		return w.err.Error()
	}
	return w.redis.asked()
}

// fakeRedis says OK to whatever it is asked, and keeps it.
type fakeRedis struct {
	listener net.Listener
	running  sync.WaitGroup
	log      lockedLog

	mu    sync.Mutex
	conns []net.Conn
}

func newFakeRedis() (*fakeRedis, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &fakeRedis{listener: l}
	f.running.Go(func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, conn)
			f.mu.Unlock()
			f.running.Go(func() { f.answer(conn) }) // ends with the connection
		}
	})
	return f, nil
}

// asked is what was asked, a command a line.
func (f *fakeRedis) asked() string { return f.log.String() }

func (f *fakeRedis) Close() {
	f.listener.Close()
	f.mu.Lock()
	for _, conn := range f.conns {
		conn.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

// answer reads commands, as arrays of strings: *2, $4, PING, …
func (f *fakeRedis) answer(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	number := func() (n int, err error) {
		line, err := in.ReadString('\n')
		if err == nil && len(line) > 1 {
			n, err = strconv.Atoi(strings.TrimSpace(line[1:]))
		}
		return n, err
	}
	for {
		count, err := number()
		if err != nil {
			return
		}
		words := make([]string, count)
		for i := range words {
			size, err := number()
			if err != nil {
				return
			}
			text := make([]byte, size+len("\r\n"))
			if _, err := io.ReadFull(in, text); err != nil {
				return
			}
			words[i] = string(text[:size])
		}
		fmt.Fprintln(&f.log, strings.Join(words, " "))
		answer := "+OK\r\n"
		if words[0] == "HELLO" {
			answer = "%1\r\n+version\r\n+7.0.15\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}
