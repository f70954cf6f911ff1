package main

import (
	"context"
	"errors"
	"sync"
	"unsafe"

	"github.com/ingot-run/ingot/mcp"
)

// connectionsMax bounds the connections of an instance.
const connectionsMax = 1024

// connections are at their number less one; nil is a free one.
var connections []*connection

// connection is one client.
type connection struct {
	number uint32
	conn   *mcp.Conn
	room   chan struct{} // holds a token when the host has room after none
	full   bool          // the host takes no frame until then

	mu      sync.Mutex
	arrived sync.Cond // a frame came, or there will be no more
	frames  [][]byte  // not yet dealt with; nil is one that was too long
	over    bool      // no more frames come
	closed  bool      // what waits is not dealt with any more
}

var _ mcp.Stream = (*connection)(nil)

// connect begins a connection and returns its number.
//
//go:wasmexport mcp_connect
func connect() int32 {
	i := 0
	for i < len(connections) && connections[i] != nil {
		i++
	}
	if i == connectionsMax {
		return fail(errors.New("mcp: 1024 connections are open; close one"))
	}
	if i == len(connections) {
		connections = append(connections, nil)
	}
	c := &connection{number: uint32(i + 1), room: make(chan struct{}, 1)}
	c.arrived.L = &c.mu
	c.conn = server.Connect(context.Background(), c, mcp.ConnOptions{})
	connections[i] = c
	go c.serve() // ends after mcp_end or mcp_close
	return int32(c.number)
}

// at is an open connection, or nil.
func at(number uint32) *connection {
	if i := number - 1; uint64(i) < uint64(len(connections)) {
		return connections[i]
	}
	return nil
}

var errConnection = errors.New("mcp: no open connection has this number")

// receive takes a message of a client, which stands in the area. It is served by
// mcp_run, behind those before.
//
//go:wasmexport mcp_receive
func receive(number, frameBytes uint32) int32 {
	if int(frameBytes) > len(area) {
		return fail(errors.New("mcp: the frame is longer than the area"))
	}
	return queue(number, append([]byte{}, area[:frameBytes]...))
}

// refuse answers a message that the host did not hand over since it is too long.
//
//go:wasmexport mcp_refuse
func refuse(number uint32) int32 { return queue(number, nil) }

func queue(number uint32, frame []byte) int32 {
	c := at(number)
	if c == nil {
		return fail(errConnection)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = append(c.frames, frame)
	c.arrived.Signal()
	return 0
}

// end says that a client has nothing more to say: calls in flight end, then the
// connection does.
//
//go:wasmexport mcp_end
func end(number uint32) int32 {
	c := at(number)
	if c == nil {
		return fail(errConnection)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.arrived.Signal()
	return 0
}

// closeConnection ends a connection: its calls are cancelled.
//
//go:wasmexport mcp_close
func closeConnection(number uint32) int32 {
	c := at(number)
	if c == nil {
		return fail(errConnection)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed, c.over = true, true
		c.arrived.Signal()
		go c.conn.Close() // ends when the handlers have, whose context it ends
	}
	return 0
}

// writable says that the host has room for more frames of a connection.
//
//go:wasmexport mcp_writable
func writable(number uint32) int32 {
	c := at(number)
	if c == nil {
		return fail(errConnection)
	}
	select {
	case c.room <- struct{}{}:
	default:
	}
	return 0
}

// serve deals with the frames, one after the other.
func (c *connection) serve() {
	for {
		frame, ok := c.next()
		if !ok {
			break
		}
		if frame == nil {
			c.conn.RefuseTooLong()
		} else {
			c.conn.Receive(frame)
		}
		hostServed(c.number)
	}
	c.conn.Drain()
	c.conn.Close()
	connections[c.number-1] = nil
	hostEnded(c.number)
}

// next waits for a frame.
func (c *connection) next() (frame []byte, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.frames) == 0 && !c.over {
		c.arrived.Wait()
	}
	if len(c.frames) == 0 || c.closed {
		return nil, false
	}
	frame = c.frames[0]
	c.frames[0] = nil
	c.frames = c.frames[1:]
	return frame, true
}

// Send implements mcp.Stream. It waits while the host has no room.
func (c *connection) Send(ctx context.Context, frame []byte) error {
	if c.full {
		select {
		case <-c.room:
			c.full = false
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.full = hostSend(c.number, unsafe.Pointer(unsafe.SliceData(frame)), uint32(len(frame))) == 1
	return nil
}
