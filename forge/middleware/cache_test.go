package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/inmemory"
)

func cacheOf(c config.Cache) config.Middleware {
	return config.Middleware{Type: config.MiddlewareCache, Cache: &c}
}

func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shared()
		target := &target{}
		target.do = func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			return r.Text(fmt.Sprint(target.calls.Load())), nil
		}
		h := wrap(t, target.call, own(cacheOf(config.Cache{TTL: time.Minute, EntriesMax: 2, BytesMax: 10_000})), s)
		get := func(arguments string) string {
			got, err := call(h, arguments)
			require.NoError(t, err)
			return got
		}
		require.Equal(t, "1", get(`{"a":1,"b":{"x":"\u0041","y":2}}`))
		require.Equal(t, "1", get(`{ "b":{"y":2,"x":"A"}, "a":1 }`)) // the same arguments
		require.Equal(t, "2", get(`{"a":9007199254740993}`))
		require.Equal(t, "3", get(`{"a":9007199254740992}`)) // not the same; the first entry goes
		require.Equal(t, "2", get(`{"a":9007199254740993}`))
		require.Equal(t, "4", get(`{"b":{"y":2,"x":"A"},"a":1}`))
		require.Equal(t, "2", get(`{"a":9007199254740993}`)) // used more recently than 3
		time.Sleep(time.Minute)
		require.Equal(t, "5", get(`{"a":9007199254740993}`))

		large := strings.Repeat("x", 10_000)
		target.do = func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return mcp.TextResult(large), nil }
		require.Equal(t, large, get(`{"large":1}`))
		require.Equal(t, large, get(`{"large":1}`))
		require.EqualValues(t, 7, target.calls.Load())
		require.LessOrEqual(t, counts(s, config.MiddlewareCache)["bytes"], int64(10_000))

		for _, do := range []func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error){
			failing(down), failing(mcp.ErrInputRequired),
			func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return mcp.ErrorResult("no"), nil },
		} {
			before := target.calls.Load()
			target.do = do
			_, _ = call(h, `{"failure":1}`)
			_, _ = call(h, `{"failure":1}`)
			require.Equal(t, before+2, target.calls.Load())
		}
	})
}

// Equal calls at once are one call; when its caller gives it up, the next one makes
// it.
func TestCacheSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		target := &target{do: func(ctx context.Context, _ *mcp.CallRequest) (*mcp.CallResult, error) {
			select {
			case <-release:
				return mcp.TextResult("ok"), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
		h := wrap(t, target.call, own(cacheOf(config.Cache{TTL: time.Minute, EntriesMax: 2, BytesMax: 10_000})), shared())
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			_, err := h(ctx, &mcp.CallRequest{Arguments: []byte(`{}`)})
			require.Equal(t, context.Canceled, err)
		})
		synctest.Wait()
		for range 10 {
			all.Go(func() {
				got, err := call(h, `{}`)
				require.NoError(t, err)
				require.Equal(t, "ok", got)
			})
		}
		given, giveUp := context.WithCancel(t.Context())
		all.Go(func() {
			_, err := h(given, &mcp.CallRequest{Arguments: []byte(`{}`)})
			require.Equal(t, fault.Canceled, fault.ClassOf(err))
		})
		synctest.Wait()
		require.EqualValues(t, 1, target.calls.Load())
		giveUp()
		cancel()
		synctest.Wait()
		require.EqualValues(t, 2, target.calls.Load())
		close(release)
		all.Wait()
		require.EqualValues(t, 2, target.calls.Load())
	})
}

// A cache of all tools keeps only what tools answer that change nothing.
func TestCacheLooksAtTheTool(t *testing.T) {
	of := &config.Config{Middleware: []config.Middleware{cacheOf(config.Cache{TTL: time.Minute, EntriesMax: 2, BytesMax: 10_000})}}
	get := &config.HTTP{Method: "GET"}
	for what, c := range map[string]struct {
		want int32
		tool *config.Tool
	}{
		"a tool that may change something": {2, &config.Tool{Name: "t"}},
		"a tool that only reads":           {1, &config.Tool{Name: "t", Annotations: &mcp.ToolAnnotations{ReadOnlyHint: &yes}}},
		"a GET":                            {1, &config.Tool{Name: "t", HTTP: get}},
		"a GET that hands out handles":     {2, &config.Tool{Name: "t", HTTP: get, State: &config.ToolState{Handle: true}}},
	} {
		target := &target{do: ok}
		h, err := middleware.Wrap(target.call, c.tool, middleware.Chain(of, c.tool), shared())
		require.NoError(t, err)
		for range 2 {
			_, err = call(h, `{}`)
			require.NoError(t, err)
		}
		require.Equal(t, c.want, target.calls.Load(), what)
	}
}

// What one principal was answered, another one is not.
func TestCacheKeepsPrincipalsApart(t *testing.T) {
	target := &target{do: ok}
	h := wrap(t, target.call, own(cacheOf(config.Cache{TTL: time.Hour, EntriesMax: 10, BytesMax: 10_000})), shared())
	server := mcp.NewServer(mcp.Options{})
	server.AddTool(mcp.Tool{Name: "t", InputSchema: []byte(`{"type":"object"}`)}, h)
	for calls, who := range []string{"", "ada", "bo", "ada", "bo"} {
		client := inmemory.Connect(t.Context(), server, mcp.ConnOptions{Principal: who})
		request(t, client, "t")
		request(t, client, "t")
		client.Close()
		require.EqualValues(t, min(calls+1, 3), target.calls.Load())
	}
}
