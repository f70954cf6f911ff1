// Package otlptest is a collector of OpenTelemetry for tests: it takes spans by OTLP over
// HTTP with protobuf and keeps them. [Start] starts a [Collector]; its URL is what a
// server is told.
//
//	c := otlptest.Start(t)
//	spans := c.Wait(t, func(spans []*otlptest.Span) bool { return len(spans) >= 2 })
//
// # Caveats
//
// It is for tests: it keeps all that it is sent.
package otlptest

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// patience bounds a wait; only a failure meets it.
const patience = time.Minute

// Collector is a running collector.
type Collector struct {
	URL string // without a path

	mu      sync.Mutex
	spans   []*Span
	headers []http.Header
	paths   []string
	news    chan struct{} // closed when there is more
}

// Span is one that came in.
type Span struct {
	Name, Kind               string // Kind is internal, server or client
	Service                  string
	Trace, ID, Parent, State string // identifiers in hexadecimal; no Parent: empty
	Failed                   bool
	Attributes               map[string]string // whatever they are, as texts
}

// Start starts a collector that ends with the test.
func Start(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{news: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// take is the collector's handler.
func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	text, err := io.ReadAll(body)
	var data pb.TracesData // on the wire it is what ExportTraceServiceRequest is
	if err == nil {
		err = proto.Unmarshal(text, &data)
	}
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "not OTLP by protobuf", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers, c.paths = append(c.headers, r.Header), append(c.paths, r.URL.Path)
	c.spans = append(c.spans, read(&data)...)
	close(c.news)
	c.news = make(chan struct{})
}

func read(data *pb.TracesData) (spans []*Span) {
	for _, of := range data.ResourceSpans {
		service := ""
		for _, a := range of.GetResource().GetAttributes() {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				spans = append(spans, one(service, s))
			}
		}
	}
	return spans
}

var kinds = map[pb.Span_SpanKind]string{pb.Span_SPAN_KIND_INTERNAL: "internal", pb.Span_SPAN_KIND_SERVER: "server", pb.Span_SPAN_KIND_CLIENT: "client"}

func one(service string, s *pb.Span) *Span {
	span := &Span{
		Name: s.Name, Kind: kinds[s.Kind], Service: service, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId),
		Parent: hex.EncodeToString(s.ParentSpanId), State: s.TraceState,
		Failed: s.GetStatus().GetCode() == pb.Status_STATUS_CODE_ERROR, Attributes: map[string]string{},
	}
	for _, a := range s.Attributes {
		value := a.Value.GetStringValue()
		if value == "" {
			value = a.Value.String()
		}
		span.Attributes[a.Key] = value
	}
	return span
}

// Wait waits until enough says so of all spans that came in, and returns them.
func (c *Collector) Wait(t testing.TB, enough func([]*Span) bool) []*Span {
	t.Helper()
	timeout := time.After(patience)
	for {
		c.mu.Lock()
		spans, news := slices.Clone(c.spans), c.news
		c.mu.Unlock()
		if enough(spans) {
			return spans
		}
		select {
		case <-news:
		case <-timeout:
			for _, s := range spans {
				t.Logf("%+v", *s)
			}
			t.Fatalf("in %v came %d spans, and not those that were waited for", patience, len(spans))
		}
	}
}

// Spans are those that came in so far.
func (c *Collector) Spans() []*Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Requests are the headers and the paths of what came in so far.
func (c *Collector) Requests() (headers []http.Header, paths []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.headers), slices.Clone(c.paths)
}

// Find returns the span of a name, the first one; nil: there is none.
func Find(spans []*Span, name string) *Span {
	if i := slices.IndexFunc(spans, func(s *Span) bool { return s.Name == name }); i >= 0 {
		return spans[i]
	}
	return nil
}
