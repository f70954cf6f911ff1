package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The classes that a call may end in. Each of the others is the name of what excuses it.
const (
	classOK       = "ok"
	classDown     = "server away"
	classBackend  = "state away"
	classPeer     = "peer away"
	classFallback = "fallback"
	classWrong    = "WRONG"
)

const (
	callWithin      = time.Minute
	answerBytesMax  = 8 << 20
	protocolVersion = "2026-07-28"
)

// client is one of those who call a site.
type client struct {
	site   *site
	id     int
	random *rand.Rand
	http   *http.Client
}

// answered is what a server says to one request.
type answered struct {
	Result struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
		IsError  bool            `json:"isError"`
		Messages json.RawMessage `json:"messages"`
		Contents []struct {
			Text string `json:"text"`
		} `json:"contents"`
	} `json:"result"`
	Error json.RawMessage `json:"error"`
	raw   []byte
}

// text is the first text of a tool's answer.
func (a *answered) text() string {
	if len(a.Result.Content) == 0 {
		return ""
	}
	return a.Result.Content[0].Text
}

// errAway says that nobody answered.
var errAway = errors.New("no answer")

// ask makes one request of the modern era. The error is an errAway where no answer came.
func (c *client) ask(ctx context.Context, method, name string, params map[string]any) (*answered, error) {
	params["_meta"] = map[string]any{"io.modelcontextprotocol/protocolVersion": protocolVersion, "io.modelcontextprotocol/clientCapabilities": struct{}{}}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.site.origin+"/mcp", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for header, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"MCP-Protocol-Version": protocolVersion, "Mcp-Method": method, "Mcp-Name": name,
	} {
		r.Header.Set(header, value)
	}
	w, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAway, err)
	}
	defer w.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(w.Body, answerBytesMax))
	if err != nil || w.StatusCode == http.StatusServiceUnavailable {
		return nil, fmt.Errorf("%w: status %d, %w", errAway, w.StatusCode, errors.Join(err, errAway))
	}
	if at := bytes.LastIndex(raw, []byte("data: ")); at >= 0 && strings.HasPrefix(w.Header.Get("Content-Type"), "text/event-stream") {
		raw, _, _ = bytes.Cut(raw[at+len("data: "):], []byte("\n"))
	}
	a := &answered{raw: raw}
	if err := json.Unmarshal(raw, a); err != nil {
		return nil, fmt.Errorf("status %d is answered with %.300q: %w", w.StatusCode, raw, err)
	}
	return a, nil
}

func (c *client) tool(ctx context.Context, name string, args map[string]any) (*answered, error) {
	return c.ask(ctx, "tools/call", name, map[string]any{"name": name, "arguments": args})
}

// key is the client's own.
func (c *client) key() string { return fmt.Sprintf("w/%d", c.id) }

// kind is a kind of call: it returns the class of its end, and for classWrong why.
type kind struct {
	name string
	call func(context.Context, *client) (class string, why error)
}

// kinds are all of them.
var kinds = []kind{
	{"native: edited", callEdited},
	{"native: put", callPut},
	{"native: add", callAdd},
	{"cli", callPrint},
	{"http", callFetch},
	{"http with breaker and fallback", callGuarded},
	{"pipeline", callFlow},
	{"wasm", callSHA256},
	{"wasm: hostile", callHostile},
	{"resource", readNote},
	{"prompt", getGreeting},
}

// expect judges an answer by a check of what it has to be.
func (c *client) expect(a *answered, err error, check func(*answered) error) (string, error) {
	switch {
	case errors.Is(err, errAway):
		return classDown, err
	case err != nil:
		return classWrong, err
	case a.Error != nil:
		return classWrong, fmt.Errorf("it is answered with the error %.500s", a.Error)
	}
	if err := check(a); err != nil {
		return classWrong, err
	}
	return classOK, nil
}

// says checks for one text.
func says(want string) func(*answered) error {
	return func(a *answered) error {
		if a.Result.IsError || a.text() != want {
			return fmt.Errorf("it answers %.500s, and not %q", a.raw, want)
		}
		return nil
	}
}

func callEdited(ctx context.Context, c *client) (string, error) {
	least := c.site.applied.Load()
	a, err := c.tool(ctx, "edited", map[string]any{})
	return c.expect(a, err, func(a *answered) error {
		n, err := strconv.ParseInt(a.text(), 10, 64)
		if err != nil || n < least || n > c.site.edited.Load() {
			return fmt.Errorf("it answers %.300s; the file had between %d and %d", a.raw, least, c.site.edited.Load())
		}
		return nil
	})
}

// stateful expects what a tool answers that needs the state.
func (c *client) stateful(a *answered, err error, began int64, done func()) (string, error) {
	class, why := c.expect(a, err, func(a *answered) error {
		if a.Result.IsError {
			return fmt.Errorf("it fails with %.500s", a.raw)
		}
		return nil
	})
	switch {
	case class == classOK:
		done()
	case class == classWrong && c.site.backend.excuses(began):
		return classBackend, why
	}
	return class, why
}

func callPut(ctx context.Context, c *client) (string, error) {
	began := c.site.backend.n.Load()
	n := c.site.ledger.try(c.key())
	a, err := c.tool(ctx, "put", map[string]any{"key": c.key(), "value": n})
	return c.stateful(a, err, began, func() { c.site.ledger.acknowledge(c.key(), n) })
}

func callAdd(ctx context.Context, c *client) (string, error) {
	began := c.site.backend.n.Load()
	c.site.ledger.tryIncrement()
	a, err := c.tool(ctx, "add", map[string]any{"key": sumKey})
	return c.stateful(a, err, began, c.site.ledger.incremented)
}

func callPrint(ctx context.Context, c *client) (string, error) {
	text := fmt.Sprintf("text --%d; $(id)", c.random.Int64())
	a, err := c.tool(ctx, "print", map[string]any{"text": text})
	return c.expect(a, err, says(text))
}

func callFetch(ctx context.Context, c *client) (string, error) {
	began := c.site.world.peer.n.Load()
	n := c.random.Int32()
	a, err := c.tool(ctx, "fetch", map[string]any{"n": n})
	class, why := c.expect(a, err, says(fmt.Sprintf("/%d", n)))
	if class == classWrong && c.site.world.peer.excuses(began) {
		return classPeer, why
	}
	return class, why
}

// callGuarded never fails: where the peer does, or was just before, its fallback speaks.
func callGuarded(ctx context.Context, c *client) (string, error) {
	n := c.random.Int32()
	a, err := c.tool(ctx, "guarded", map[string]any{"n": n})
	class, why := c.expect(a, err, says(fmt.Sprintf("/%d", n)))
	if class == classWrong && a != nil && !a.Result.IsError && strings.Contains(a.text(), "fallback") {
		return classFallback, nil
	}
	return class, why
}

func callFlow(ctx context.Context, c *client) (string, error) {
	n := c.random.Int32()
	a, err := c.tool(ctx, "flow", map[string]any{"n": n})
	return c.expect(a, err, func(a *answered) error {
		if a.Result.IsError || !strings.Contains(a.text(), strconv.Itoa(int(n))) {
			return fmt.Errorf("it answers %.500s", a.raw)
		}
		return nil
	})
}

func callSHA256(ctx context.Context, c *client) (string, error) {
	text := strconv.FormatInt(c.random.Int64(), 36)
	sum := sha256.Sum256([]byte(text))
	a, err := c.tool(ctx, "sha256", map[string]any{"text": text})
	return c.expect(a, err, func(a *answered) error {
		if a.Result.IsError || !strings.Contains(a.text(), hex.EncodeToString(sum[:])) {
			return fmt.Errorf("it answers %.500s", a.raw)
		}
		return nil
	})
}

// mischief is what the hostile guest is asked for; each has to end as an error of the
// call. Endless recursion is not among it: the 80 MB of stack that it ends with are the
// collector's for a while, and would hide what is left behind.
var mischief = []string{
	"spin", "host_call_storm", "wide", "sleep", "memory_bomb", "memory_all", "trap", "divide", "wild_write", "wild_call", "exit",
	"result_outside", "result_empty", "result_broken", "result_latin1", "result_repeats_key", "result_list", "error_list", "log_outside", "fail",
}

func callHostile(ctx context.Context, c *client) (string, error) {
	mode := mischief[c.random.IntN(len(mischief))]
	a, err := c.tool(ctx, "hostile", map[string]any{"mode": mode})
	class, why := c.expect(a, err, func(a *answered) error {
		if !a.Result.IsError {
			return fmt.Errorf("mode %s answers %.500s", mode, a.raw)
		}
		return nil
	})
	return class, why
}

func readNote(ctx context.Context, c *client) (string, error) {
	const uri = "file://./note.txt"
	a, err := c.ask(ctx, "resources/read", uri, map[string]any{"uri": uri})
	return c.expect(a, err, func(a *answered) error {
		if len(a.Result.Contents) != 1 || a.Result.Contents[0].Text != "a note" {
			return fmt.Errorf("it answers %.500s", a.raw)
		}
		return nil
	})
}

func getGreeting(ctx context.Context, c *client) (string, error) {
	who := strconv.FormatInt(c.random.Int64(), 36)
	a, err := c.ask(ctx, "prompts/get", "greet", map[string]any{"name": "greet", "arguments": map[string]any{"who": who}})
	return c.expect(a, err, func(a *answered) error {
		if !strings.Contains(string(a.Result.Messages), "hello "+who) {
			return fmt.Errorf("it answers %.500s", a.raw)
		}
		return nil
	})
}

// load calls until ctx ends. Each call is made by what the site was when it began.
func (c *client) load(ctx context.Context) {
	for ctx.Err() == nil {
		k := kinds[c.random.IntN(len(kinds))]
		c.site.gate.RLock()
		began := c.site.serving.n.Load()
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), callWithin)
		class, why := k.call(call, c)
		cancel()
		excused := c.site.serving.excuses(began)
		c.site.gate.RUnlock()
		if class == classDown && !excused || class == classWrong {
			c.site.tally.fault("%s: %v", k.name, why)
			class = classWrong
		}
		c.site.served.Add(1)
		c.site.tally.count(k.name, class)
		if class == classDown { // until it is back there is nothing to hurry for
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}
