package httpguard

import (
	"log/slog"
	"net/http"
	"time"
)

// What a connection may take before and between requests. What a request may
// take is the transports' matter, which knows streams from answers.
const (
	headerBytesMax    = 32 << 10
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	concurrentHTTP2   = 100 // requests at once on one HTTP/2 connection
)

// NewServer returns a server whose connections are not held by clients that do
// not send: headers are to come within 5 seconds and are at most 32 KiB long, a
// body is to come within 30 seconds, and between requests a connection is kept
// for 2 minutes. The deadline of the body would end a call that takes longer: a
// handler that reads the body lifts it (http.ResponseController), as the
// transports of MCP do.
func NewServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		MaxHeaderBytes:    headerBytesMax,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: concurrentHTTP2},
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}
