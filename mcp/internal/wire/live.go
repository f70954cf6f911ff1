package wire

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// Live is a stream of events that lives as long as one response. It begins with
// its first event, and comments keep it open while nothing else is sent. It is
// safe for concurrent use, and an mcp.Stream.
type Live struct {
	every  time.Duration
	failed func(error)

	mu     sync.Mutex
	events Events
	alive  *time.Timer // sends keep-alives; nil until the stream begins
	ended  bool
}

// NewLive returns a stream to w, whose End must be called. failed is called when
// the client reads no more, perhaps more than once.
func NewLive(w http.ResponseWriter, timeout, every time.Duration, failed func(error)) *Live {
	return &Live{events: NewEvents(w, timeout), every: every, failed: failed}
}

// Send sends a message.
func (l *Live) Send(_ context.Context, frame []byte) error {
	return l.send(func() error { return l.events.Message("", frame) })
}

// Named sends an event of another type.
func (l *Live) Named(name, data string) error {
	return l.send(func() error { return l.events.Named(name, data) })
}

func (l *Live) send(act func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return errEnded
	}
	if err := act(); err != nil {
		l.failed(err)
		return err
	}
	if l.alive == nil {
		l.alive = time.AfterFunc(l.every, l.keepAlive)
	} else {
		l.alive.Reset(l.every)
	}
	return nil
}

func (l *Live) keepAlive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	if err := l.events.KeepAlive(); err != nil {
		l.failed(err)
		return
	}
	l.alive.Reset(l.every)
}

// End sends last, unless it is empty, if the stream has begun, which it
// reports. Nothing is written afterwards.
func (l *Live) End(last []byte) (began bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.alive != nil {
		l.alive.Stop()
	}
	if l.events.Began() && len(last) > 0 {
		// An error means that the client left; nobody is there to hear of it.
		_ = l.events.Message("", last)
	}
	return l.events.Began()
}

var errEnded = errors.New("the stream has ended")
