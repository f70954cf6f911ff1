package mcpclient

import (
	"context"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/inmemory"
)

// InProcess connects to a server of this process, by messages as any other client. ctx
// bounds the beginning alone. Close the client before the server.
func InProcess(ctx context.Context, server *mcp.Server, o Options) (*Client, error) {
	c := newClient(o)
	life, end := context.WithCancel(context.Background())
	m := &memory{client: inmemory.Connect(life, server, mcp.ConnOptions{}), end: end, done: make(chan struct{})}
	c.carrier = m
	go m.read(life, c) // ends with close
	if err := c.begin(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// memory carries messages within this process.
type memory struct {
	client *inmemory.Client
	end    context.CancelFunc
	done   chan struct{}
}

// read takes what the server sends until the connection is over.
func (m *memory) read(ctx context.Context, c *Client) {
	defer close(m.done)
	for {
		frame, err := m.client.Receive(ctx)
		if err == nil {
			_, err = c.receive(ctx, frame)
		}
		if err != nil {
			c.fail(ErrClosed)
			return
		}
	}
}

func (m *memory) send(_ context.Context, _ int64, _ header, frame []byte) error {
	m.client.Send(frame)
	return nil
}

func (m *memory) agreed(string) {}

func (m *memory) listen(context.Context) error { return nil }

// close ends the reading and the connection, and waits for both.
func (m *memory) close(context.Context) error {
	m.client.Close()
	m.end()
	<-m.done
	return nil
}
