package middleware

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type valueKey struct{}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := func(parent context.Context) *deadline {
			return &deadline{parent: parent, at: time.Now().Add(time.Minute)}
		}
		parent := context.WithValue(t.Context(), valueKey{}, 7)

		// Nobody waits.
		d := made(parent)
		require.NoError(t, d.Err())
		require.Equal(t, 7, d.Value(valueKey{}))
		time.Sleep(time.Minute)
		require.Equal(t, context.DeadlineExceeded, d.Err())
		<-d.Done()
		d.end()
		require.Equal(t, context.DeadlineExceeded, d.Err())

		// Somebody waits, also through a context made of it.
		d = made(parent)
		child, cancel := context.WithCancel(d)
		defer cancel()
		require.Equal(t, 7, child.Value(valueKey{}))
		begin := time.Now()
		<-child.Done()
		require.Equal(t, time.Minute, time.Since(begin))
		require.Equal(t, context.DeadlineExceeded, child.Err())
		require.Equal(t, context.DeadlineExceeded, d.Err())
		d.end()

		// The parent ends.
		for _, waits := range []bool{true, false} {
			around, stop := context.WithCancel(parent)
			d = made(around)
			if waits {
				defer context.AfterFunc(d, func() {})()
			}
			stop()
			synctest.Wait()
			require.Equal(t, context.Canceled, d.Err())
			d.end()
		}

		// It ends before its time: who still waits is let go.
		d = made(parent)
		done := d.Done()
		d.end()
		<-done
		require.Equal(t, context.Canceled, d.Err())
		d = made(parent)
		d.end()
		<-d.Done()
		at, ok := d.Deadline()
		require.True(t, ok)
		require.Equal(t, time.Minute, time.Until(at))
	})
}

func TestHasMember(t *testing.T) {
	const object = ` { "a" : 1 , "b":{"x":"}","deep":[{"]":"\""}]}, "c\u0041":"t", "null": null, "n":-1.5e3,"last":[ ] } `
	for name, want := range map[string]bool{"a": true, "b": true, "cA": true, "null": false, "n": true, "last": true, "x": false, "deep": false, "]": false, "t": false, "": false} {
		require.Equal(t, want, hasMember([]byte(object), name), name)
	}
	for _, broken := range []string{``, `{`, `{"a`, `{"a"`, `{"a":`, `[`, `{"b":"`, `{"b":{`, `{,`, `"a"`, `{"b" 1,"a":1}`, `{"b\`} {
		require.False(t, hasMember([]byte(broken), "a"), broken)
	}
}

// A limit counts a bounded number of clients; those beyond share one's allowance.
func TestLimitForgetsClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limit{interval: time.Second, depth: time.Second, start: time.Now(), full: map[client]time.Duration{}}
		name := func(i int) client { return client{principal: time.Duration(i).String()} }
		for i := range clientsMax {
			require.Zero(t, l.take(name(i)))
		}
		require.Zero(t, l.take(name(clientsMax)))
		require.Equal(t, time.Second, l.take(name(clientsMax+1)))
		require.Equal(t, time.Second, l.take(name(0)))
		require.LessOrEqual(t, len(l.full), clientsMax+1)
		time.Sleep(2 * time.Second)
		require.Zero(t, l.take(name(clientsMax+2)))
		require.Len(t, l.full, 1)
	})
}
