// Package inmemory connects a client to an [mcp.Server] in the same process,
// without a socket or a pipe: for tests, for a host that embeds a server, and
// for wasm, where there is nothing else. It needs no operating system.
//
//	client := inmemory.Connect(ctx, server, mcp.ConnOptions{})
//	defer client.Close()
//	client.Send([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
//	frame, err := client.Receive(ctx)
//
// # Caveats
//
// Who sends requests must receive: the server holds a bounded number of
// messages for the client, then makes it wait in Send.
package inmemory

import (
	"context"

	"github.com/ingot-run/ingot/mcp"
)

// queued is how many messages wait for the client here, beside the 1 MiB that
// the server holds.
const queued = 16

// Client is the client's end of a connection.
type Client struct {
	conn     *mcp.Conn
	frames   chan []byte
	bytesMax int // of one message
}

// Connect connects a client to s. When ctx ends, so does the connection; the
// client must be closed in any case.
func Connect(ctx context.Context, s *mcp.Server, o mcp.ConnOptions) *Client {
	frames := make(stream, queued)
	return &Client{conn: s.Connect(ctx, frames, o), frames: frames, bytesMax: s.MaxMessageBytes()}
}

// Send hands the server one message: a whole JSON-RPC message, or a batch. It
// keeps nothing of frame, and waits while the server has too much to do. One
// longer than the server's MaxMessageBytes is answered with an error.
func (c *Client) Send(frame []byte) {
	if len(frame) > c.bytesMax {
		c.conn.RefuseTooLong()
		return
	}
	c.conn.Receive(frame)
}

// Receive returns the next message of the server, which is the caller's. Its
// error is that of ctx, or says why the connection is over.
func (c *Client) Receive(ctx context.Context) ([]byte, error) {
	select {
	case frame := <-c.frames:
		return frame, nil
	default:
	}
	select {
	case frame := <-c.frames:
		return frame, nil
	case <-c.conn.Done():
		return nil, c.conn.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close ends the connection: calls are cancelled, and waited for.
func (c *Client) Close() { c.conn.Close() }

// stream is the server's end.
type stream chan []byte

// Send is mcp.Stream's.
func (s stream) Send(ctx context.Context, frame []byte) error {
	select {
	case s <- append([]byte(nil), frame...):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
