package mcpclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ingot-run/ingot/mcp"
)

// Bounds of what a server may send.
const (
	messageBytesMax = 128 << 20 // of one message: a value of 64 MiB in base64, and what stands around it
	pagesMax        = 1000      // of a list
	entriesMax      = 100_000   // of a list
	goodbye         = 2 * time.Second
)

// ErrClosed says that the connection is over.
var ErrClosed = errors.New("the connection to the server is over")

// Error is a JSON-RPC error that a server answered with.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Error is the message with its code.
func (e *Error) Error() string {
	return fmt.Sprintf("the server answered with the error %d: %s", e.Code, e.Message)
}

// Options are what every client takes. The zero value works.
type Options struct {
	// Name and Version are whom the client says it is; "ingot" and "devel" when empty.
	Name, Version string
	// Notify gets what the server tells without being asked, log messages and changes;
	// progress goes to its call. It is called by one goroutine at a time for each stream,
	// and has to return soon. Nil discards.
	Notify func(method string, params json.RawMessage)
	// LogLevel is the least severe level of the log messages that are wanted, such as
	// "info"; empty is what the server likes.
	LogLevel string
}

// carrier brings messages to a server. What comes back goes to Client.receive.
type carrier interface {
	// send brings a frame; id is that of a request, 0 for others. When a request's send
	// returns nil, its answer has been received or will be.
	send(ctx context.Context, id int64, head header, frame []byte) error
	// agreed tells of the version, once it is known.
	agreed(version string)
	// listen opens the way for what comes unasked, where that needs one. ctx bounds the
	// opening alone.
	listen(ctx context.Context) error
	close(ctx context.Context) error
}

// header is what streamable HTTP repeats of a message beside it.
type header struct{ method, name string }

// Client is a connection to a server. It is safe for concurrent use.
type Client struct {
	options Options
	carrier carrier
	server  ServerInfo
	modern  bool // each request carries its version

	mu       sync.Mutex
	lastID   int64
	pending  map[int64]chan answer
	progress map[int64]func(Progress)
	over     error // why nothing can be sent any more
}

// answer is the end of a request.
type answer struct {
	result json.RawMessage
	err    error
}

// ServerInfo is what a server says of itself.
type ServerInfo struct {
	Name         string                     `json:"name"`
	Title        string                     `json:"title,omitempty"`
	Version      string                     `json:"version"`
	Protocol     string                     `json:"protocol"` // the version that is spoken
	Instructions string                     `json:"instructions,omitempty"`
	Capabilities map[string]json.RawMessage `json:"capabilities,omitempty"`
}

// message is any message.
type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
}

func newClient(o Options) *Client {
	o.Name, o.Version = cmp.Or(o.Name, "ingot"), cmp.Or(o.Version, "devel")
	return &Client{options: o, pending: map[int64]chan answer{}, progress: map[int64]func(Progress){}}
}

// Server is what the server has said of itself.
func (c *Client) Server() ServerInfo { return c.server }

// Close ends the connection. Requests that wait end with [ErrClosed].
func (c *Client) Close() error {
	c.fail(ErrClosed)
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	return c.carrier.close(ctx)
}

// fail ends all requests that wait, and those to come.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == nil {
		c.over = err
	}
	for id, wait := range c.pending {
		wait <- answer{err: c.over}
		delete(c.pending, id)
	}
}

// begin agrees on a version.
func (c *Client) begin(ctx context.Context) error {
	raw, err := c.request(ctx, "initialize", "", map[string]any{
		"protocolVersion": mcp.VersionLegacy, "capabilities": map[string]any{},
		"clientInfo": map[string]any{"name": c.options.Name, "version": c.options.Version},
	}, nil)
	if refused, ok := errors.AsType[*Error](err); ok && (refused.Code == mcp.CodeUnsupportedVersion || refused.Code == mcp.CodeMethodNotFound) {
		return c.discover(ctx)
	}
	if err != nil {
		return err
	}
	var r struct {
		ProtocolVersion string
		ServerInfo      ServerInfo
		Instructions    string
		Capabilities    map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("the server's answer to initialize cannot be read: %w", err)
	}
	if !mcp.IsLegacyVersion(r.ProtocolVersion) {
		return fmt.Errorf("the server wants to speak version %.40q of the protocol, which is unknown here", r.ProtocolVersion)
	}
	c.server = r.ServerInfo
	c.server.Protocol, c.server.Instructions, c.server.Capabilities = r.ProtocolVersion, r.Instructions, r.Capabilities
	c.carrier.agreed(r.ProtocolVersion)
	if err := c.notify(ctx, "notifications/initialized", nil); err != nil {
		return err
	}
	if _, ok := r.Capabilities["logging"]; ok && c.options.LogLevel != "" {
		_, err = c.request(ctx, "logging/setLevel", "", map[string]any{"level": c.options.LogLevel}, nil)
	}
	return err
}

// discover begins with a server that speaks no legacy version.
func (c *Client) discover(ctx context.Context) error {
	c.modern = true
	c.carrier.agreed(mcp.VersionModern)
	raw, err := c.request(ctx, "server/discover", "", nil, nil)
	if err != nil {
		return err
	}
	var r struct {
		ServerInfo   ServerInfo
		Instructions string
		Capabilities map[string]json.RawMessage
		Meta         map[string]json.RawMessage `json:"_meta"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("the server's answer to server/discover cannot be read: %w", err)
	}
	if info := r.Meta["io.modelcontextprotocol/serverInfo"]; r.ServerInfo.Name == "" && info != nil {
		if err := json.Unmarshal(info, &r.ServerInfo); err != nil {
			return fmt.Errorf("what the server says of itself cannot be read: %w", err)
		}
	}
	c.server = r.ServerInfo
	c.server.Protocol, c.server.Instructions, c.server.Capabilities = mcp.VersionModern, r.Instructions, r.Capabilities
	return nil
}

// request sends a request and waits for its answer. name is what the request is about,
// and progress, unless nil, gets its reports.
func (c *Client) request(ctx context.Context, method, name string, params map[string]any, progress func(Progress)) (json.RawMessage, error) {
	wait := make(chan answer, 1)
	c.mu.Lock()
	if c.over != nil {
		defer c.mu.Unlock()
		return nil, c.over
	}
	c.lastID++
	id := c.lastID
	c.pending[id] = wait
	if progress != nil {
		c.progress[id] = progress
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.pending, id)
		delete(c.progress, id)
	}()
	frame, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": c.params(params, id, progress != nil)})
	if err != nil {
		return nil, err
	}
	if err := c.carrier.send(ctx, id, header{method, name}, frame); err != nil {
		if ctx.Err() != nil {
			c.cancel(id, method)
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	select {
	case a := <-wait:
		return a.result, a.err
	case <-ctx.Done():
		c.cancel(id, method)
		return nil, context.Cause(ctx)
	}
}

// params are those of a request with its _meta.
func (c *Client) params(given map[string]any, id int64, progress bool) map[string]any {
	params := map[string]any{}
	maps.Copy(params, given)
	meta := map[string]any{}
	if progress {
		meta["progressToken"] = id
	}
	if c.modern {
		meta["io.modelcontextprotocol/protocolVersion"] = mcp.VersionModern
		meta["io.modelcontextprotocol/clientCapabilities"] = map[string]any{}
		meta["io.modelcontextprotocol/clientInfo"] = map[string]any{"name": c.options.Name, "version": c.options.Version}
		if c.options.LogLevel != "" {
			meta["io.modelcontextprotocol/logLevel"] = c.options.LogLevel
		}
	}
	if len(meta) > 0 {
		params["_meta"] = meta
	}
	return params
}

// cancel tells the server that nobody waits any more, as far as that can be told.
func (c *Client) cancel(id int64, method string) {
	if method == "initialize" {
		return // which may not be cancelled
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_ = c.notify(ctx, "notifications/cancelled", map[string]any{"requestId": id, "reason": "the caller gave up"}) // best effort
}

func (c *Client) notify(ctx context.Context, method string, params map[string]any) error {
	m := map[string]any{"jsonrpc": "2.0", "method": method}
	if params != nil || c.modern {
		m["params"] = c.params(params, 0, false)
	}
	frame, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return c.carrier.send(ctx, 0, header{method: method}, frame)
}

// receive takes a frame from the server: a message, or a batch of them. It returns the
// ids that were answered.
func (c *Client) receive(ctx context.Context, frame []byte) (answered []int64, err error) {
	all := []json.RawMessage{frame}
	if len(frame) > 0 && frame[0] == '[' {
		if err := json.Unmarshal(frame, &all); err != nil {
			return nil, fmt.Errorf("the server sent what is no message: %w", err)
		}
	}
	for _, raw := range all {
		var m message
		if err := json.Unmarshal(raw, &m); err != nil {
			return answered, fmt.Errorf("the server sent what is no message: %w", err)
		}
		switch {
		case m.Method != "" && m.ID != nil:
			if err := c.asked(ctx, &m); err != nil {
				return answered, err
			}
		case m.Method != "":
			c.told(&m)
		default:
			if id, ok := c.settle(&m); ok {
				answered = append(answered, id)
			}
		}
	}
	return answered, nil
}

// settle gives an answer to its request. An error without an id is about a message that
// the server could not read: with one request under way, that one.
func (c *Client) settle(m *message) (id int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, err := strconv.ParseInt(string(m.ID), 10, 64)
	if err != nil && m.Error != nil && len(c.pending) == 1 {
		id = slices.Collect(maps.Keys(c.pending))[0]
	}
	wait := c.pending[id]
	if wait == nil {
		return 0, false
	}
	delete(c.pending, id)
	delete(c.progress, id) // what comes behind an answer is of nothing
	a := answer{result: m.Result}
	switch {
	case m.Error != nil:
		a.err = m.Error
	case m.Result == nil:
		a.err = errors.New("the server answered with neither a result nor an error")
	}
	wait <- a
	return id, true
}

// told takes a notification.
func (c *Client) told(m *message) {
	if m.Method == "notifications/progress" {
		var p Progress
		if json.Unmarshal(m.Params, &p) != nil {
			return
		}
		id, err := strconv.ParseInt(string(p.Token), 10, 64)
		c.mu.Lock()
		report := c.progress[id]
		c.mu.Unlock()
		if err == nil && report != nil {
			report(p)
		}
		return
	}
	if c.options.Notify != nil {
		c.options.Notify(m.Method, m.Params)
	}
}

// asked answers a request of the server: ping, and nothing else.
func (c *Client) asked(ctx context.Context, m *message) error {
	reply := message{JSONRPC: "2.0", ID: m.ID}
	if m.Method == "ping" {
		reply.Result = json.RawMessage(`{}`)
	} else {
		reply.Error = &Error{Code: mcp.CodeMethodNotFound, Message: "this client answers no " + m.Method}
	}
	frame, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	return c.carrier.send(ctx, 0, header{}, frame)
}
