package redis_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ingot-run/ingot/internal/redistest"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/redis"
	"github.com/stretchr/testify/require"
)

// fake is a server that answers what the test says: raw bytes for the name of a
// command, in capital letters. Of what nobody said anything it says OK.
type fake struct {
	address string

	mu      sync.Mutex
	answers map[string]string
	heard   map[string]int
}

func newFake(t *testing.T) *fake {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &fake{address: l.Addr().String(), heard: map[string]int{}, answers: map[string]string{
		"HELLO": "%3\r\n+server\r\n+redis\r\n+version\r\n+7.0.0\r\n+proto\r\n:3\r\n",
		"INFO":  "$21\r\nredis_version:7.0.0\r\n\r\n",
		"PING":  "+PONG\r\n",
		"TIME":  "*2\r\n$1\r\n1\r\n$1\r\n1\r\n",
	}}
	var serving sync.WaitGroup
	var conns sync.Map
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, true)
			serving.Go(func() {
				defer conn.Close()
				f.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Range(func(conn, _ any) bool {
			conn.(net.Conn).Close()
			return true
		})
		serving.Wait()
	})
	return f
}

// serve answers commands until the connection ends.
func (f *fake) serve(conn net.Conn) {
	for r := bufio.NewReader(conn); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		count, _ := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "*")))
		var words []string
		for range count {
			line, _ := r.ReadString('\n')
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "$")))
			word := make([]byte, n+2)
			if _, err := io.ReadFull(r, word); err != nil {
				return
			}
			words = append(words, string(word[:n]))
		}
		if len(words) == 0 {
			return
		}
		name := strings.ToUpper(words[0])
		f.mu.Lock()
		f.heard[name]++
		answer, ok := f.answers[name]
		f.mu.Unlock()
		if !ok {
			answer = "+OK\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

func (f *fake) answer(command, raw string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[command] = raw
	f.heard[command] = 0
}

func (f *fake) count(command string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.heard[command]
}

// What a server answers that does not serve just now is tried again, as nothing was
// done, and comes out as an error that says what.
func TestMomentaryReplies(t *testing.T) {
	f := newFake(t)
	for reply, is := range map[string]error{
		"LOADING Redis is loading the dataset in memory":          state.ErrUnavailable,
		"CLUSTERDOWN The cluster is down":                         state.ErrUnavailable,
		"MASTERDOWN Link with MASTER is down":                     state.ErrUnavailable,
		"NOREPLICAS Not enough good replicas to write.":           state.ErrUnavailable,
		"READONLY You can't write against a read only replica.":   state.ErrReadOnly,
		"BUSY Redis is busy running a script.":                    state.ErrUnavailable,
		"TRYAGAIN Multiple keys request during rehashing of slot": state.ErrUnavailable,
	} {
		m := opened(t, redis.WithRetry(redis.Options{URL: "redis://" + f.address}, 50*time.Millisecond))
		f.answer("EVALSHA", "-"+reply+"\r\n")
		_, err := m.Set(background, "k", nil, state.SetOptions{})
		require.ErrorIs(t, err, is, reply)
		require.NotErrorIs(t, err, state.ErrUncertain, reply)
		word, _, _ := strings.Cut(reply, " ")
		require.ErrorContains(t, err, word)
		require.ErrorContains(t, err, f.address)
		require.Greater(t, f.count("EVALSHA"), 1, "%s: it is tried again", reply)
	}
}

// What a server refuses for good is not tried again.
func TestFinalReplies(t *testing.T) {
	f := newFake(t)
	m := opened(t, redis.Options{URL: "redis://" + f.address, Timeout: time.Second})
	for reply, is := range map[string]error{
		"OOM command not allowed when used memory > 'maxmemory'.":               state.ErrFull,
		"MISCONF Redis is configured to save RDB snapshots, but it's unable to": state.ErrDegraded,
		"MOVED 3999 127.0.0.1:1": state.ErrUnavailable,
		"NOPERM User x has no permissions to run the 'evalsha' command":     state.ErrUnavailable,
		"WRONGTYPE Operation against a key holding the wrong kind of value": state.ErrForeign,
		"CROSSSLOT Keys in request don't hash to the same slot":             state.ErrBatch,
	} {
		f.answer("EVALSHA", "-"+reply+"\r\n")
		_, err := m.Set(background, "k", nil, state.SetOptions{})
		require.ErrorIs(t, err, is, reply)
		require.Equal(t, 1, f.count("EVALSHA"), reply)
	}
	f.answer("EVALSHA", "-ERR something new\r\n")
	_, err := m.Set(background, "k", nil, state.SetOptions{})
	require.ErrorContains(t, err, "something new")
}

// Answers that make no sense are errors and no panic, and the connection is not used
// again.
func TestGarbage(t *testing.T) {
	for _, garbage := range []string{
		"garbage\r\n", "\x00\x01\x02\r\n", "$-7\r\n", "$99999999999999999999\r\nx\r\n", "$999999999\r\nx\r\n", "*999999999\r\n", "*-2\r\n", strings.Repeat("*1\r\n", 1000), "*3\r\n$1\r\na\r\n", ":12\r\n", "*0\r\n", "*1\r\n$2\r\nok\r\n", "$3\r\nabc\r\n", "%1\r\n+a\r\n+b\r\n", "_\r\n",
	} {
		f := newFake(t)
		m := opened(t, redis.WithRetry(redis.Options{URL: "redis://" + f.address, Timeout: time.Second}, time.Millisecond))
		f.answer("EVALSHA", garbage)
		f.answer("GET", garbage)
		f.answer("MGET", garbage)
		f.answer("ZRANGEBYLEX", garbage)
		_, err := m.Set(background, "k", nil, state.SetOptions{})
		require.Error(t, err, "%q", garbage)
		_, err = m.Get(background, "k")
		require.Error(t, err, "%q", garbage)
		if garbage != "*0\r\n" { // an empty list is one
			_, err = m.GetMany(background, []string{"k"})
			require.Error(t, err, "%q", garbage)
		}
	}
}

// A replica refuses writes, and a full server too: real servers' words.
func TestRefusals(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	m := opened(t, redis.WithRetry(redis.Options{URL: server.URL()}, 50*time.Millisecond))
	_, err := m.Set(background, "k", []byte("v"), state.SetOptions{})
	require.NoError(t, err)
	server.Text("CONFIG", "SET", "maxmemory", "1")
	_, err = m.Set(background, "k", []byte("w"), state.SetOptions{})
	require.ErrorIs(t, err, state.ErrFull)
	require.ErrorContains(t, err, "maxmemory")
	server.Text("CONFIG", "SET", "maxmemory", "0")
	server.Text("REPLICAOF", "127.0.0.1", "1")
	_, err = m.Set(background, "k", []byte("w"), state.SetOptions{})
	require.ErrorIs(t, err, state.ErrReadOnly)
	require.ErrorContains(t, err, "replica")
	server.Text("REPLICAOF", "NO", "ONE")
	until(t, "writes are possible again", func() bool {
		_, err := m.Set(background, "k", []byte("w"), state.SetOptions{})
		return err == nil
	})
}

// What another program keeps under the names of the store is not touched.
func TestForeign(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	m := opened(t, redis.Options{URL: server.URL(), Name: "mine"})
	server.Text("RPUSH", "mine:{0}k:list", "a")
	server.Text("SET", "mine:{0}k:text", "something else, which is long enough")
	server.Text("SET", "mine:{0}k:short", "x")
	for _, key := range []string{"list", "text", "short"} {
		_, err := m.Get(background, key)
		require.ErrorIs(t, err, state.ErrForeign, key)
		_, err = m.Set(background, key, nil, state.SetOptions{})
		require.ErrorIs(t, err, state.ErrForeign, key)
		require.ErrorContains(t, err, key)
		_, err = m.Exists(background, key)
		require.ErrorIs(t, err, state.ErrForeign, key)
		_, err = m.Batch(background, []state.Op{{Kind: state.OpSet, Key: "other"}, {Kind: state.OpDelete, Key: key}})
		require.ErrorIs(t, err, state.ErrForeign, key)
		require.ErrorContains(t, err, "operation 1")
	}
	exists, err := m.Exists(background, "other")
	require.NoError(t, err)
	require.False(t, exists)
	require.Equal(t, "1", server.Text("LLEN", "mine:{0}k:list"))
	server.Text("SET", "yours:layout", "a page about layouts")
	_, err = redis.Open(background, redis.Options{URL: server.URL(), Name: "yours"})
	require.ErrorIs(t, err, state.ErrForeign)
	server.Text("RPUSH", "wrong:{0}m", "a")
	m = opened(t, redis.Options{URL: server.URL(), Name: "wrong"})
	_, err = m.Set(background, "k", nil, state.SetOptions{})
	require.ErrorIs(t, err, state.ErrForeign)
}

// A half-open connection, on which nothing comes any more, is given up after the
// timeout; reads go on over a new one.
func TestHalfOpen(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	p := newProxy(t, server.Address)
	m := opened(t, redis.Options{URL: "redis://" + p.address, Timeout: time.Second})
	_, err := m.Set(background, "k", []byte("v"), state.SetOptions{})
	require.NoError(t, err)
	p.silence()
	until(t, "reads go on", func() bool {
		e, err := m.Get(background, "k")
		return err == nil && string(e.Value) == "v"
	})
	until(t, "writes go on", func() bool {
		_, err := m.Set(background, "k", []byte("w"), state.SetOptions{})
		require.True(t, err == nil || isFault(err), fmt.Sprint(err))
		return err == nil
	})
}
