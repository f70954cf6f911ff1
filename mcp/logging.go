package mcp

import (
	"context"
)

// LogLevel is the severity of a log message, after RFC 5424.
type LogLevel string

// The levels, least severe first.
const (
	LogDebug     LogLevel = "debug"
	LogInfo      LogLevel = "info"
	LogNotice    LogLevel = "notice"
	LogWarning   LogLevel = "warning"
	LogError     LogLevel = "error"
	LogCritical  LogLevel = "critical"
	LogAlert     LogLevel = "alert"
	LogEmergency LogLevel = "emergency"
)

var logLevels = [...]LogLevel{LogDebug, LogInfo, LogNotice, LogWarning, LogError, LogCritical, LogAlert, LogEmergency}

// rank is the place among the levels, from 1; 0 is no level.
func (l LogLevel) rank() int {
	for i, known := range logLevels {
		if known == l {
			return i + 1
		}
	}
	return 0
}

// LogMessage is a message for the client's log.
type LogMessage struct {
	Level  LogLevel
	Logger string // names the part of the server; may be empty
	Data   any    // anything that JSON can hold, often a string
}

// logMessagesMax bounds the log messages of one call. What comes later is
// dropped, and the last message says so.
const logMessagesMax = 10_000

// Log sends m to the client, if it wants messages of this level: a legacy
// client wants info and above until it sets another level, a modern one only
// what the request asks for. It waits for a slow client. The error is one of m
// (no level, data that JSON cannot hold) or of the transport.
func (c *Call) Log(ctx context.Context, m *LogMessage) error {
	rank := m.Level.rank()
	if rank == 0 {
		return newError("mcp: Log: " + quote(string(m.Level)) + " is no log level")
	}
	if c.from.link.out == nil || rank < c.logThreshold() {
		return nil
	}
	c.mu.Lock()
	c.logged++
	count := c.logged
	c.mu.Unlock()
	if count > logMessagesMax {
		return nil
	}
	if count == logMessagesMax {
		m = &LogMessage{Level: LogWarning, Data: itoa(logMessagesMax-1) + " log messages were sent for this call; no more will be"}
	}
	data, err := appendValue(nil, m.Data)
	if err != nil {
		return wrap("mcp: Log: encoding the data: ", err)
	}
	frame := add([]byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"`), m.Level)
	if m.Logger != "" {
		frame = appendString(add(frame, `","logger":`), m.Logger)
		frame = add(frame, `,"data":`)
	} else {
		frame = add(frame, `","data":`)
	}
	return c.send(ctx, add(appendOneLine(frame, data), `}}`))
}

// logThreshold is the rank of the lowest level that the client wants.
func (c *Call) logThreshold() int {
	rank := int(c.from.level)
	if !c.from.modern && c.from.link.session != nil {
		rank = c.from.link.session.logLevel.Load().rank()
	}
	if rank > 0 {
		return rank
	}
	return len(logLevels) + 1
}

// setLevel serves logging/setLevel.
func (c *reader) setLevel(m *message) *wireError {
	raw := m.param("level")
	var level LogLevel
	if raw != nil && raw[0] == '"' {
		level = LogLevel(c.scanner.unquote(raw))
	}
	if level.rank() == 0 {
		return refuse(CodeInvalidParams, "logging/setLevel: params.level is one of debug, info, notice, warning, error, critical, alert, emergency")
	}
	if c.session != nil {
		c.session.logLevel.Store(&level)
	}
	return nil
}

// Logger is where a server tells its owner, not its clients, of what happens; a
// *slog.Logger is one. (This package does not import log/slog, which would add a
// fifth to a wasm build.) Arguments are alternating keys and values.
type Logger interface {
	DebugContext(ctx context.Context, message string, args ...any)
	WarnContext(ctx context.Context, message string, args ...any)
	ErrorContext(ctx context.Context, message string, args ...any)
}

// discard is a Logger that drops all.
type discard struct{}

var _ Logger = discard{}

func (discard) DebugContext(context.Context, string, ...any) {}
func (discard) WarnContext(context.Context, string, ...any)  {}
func (discard) ErrorContext(context.Context, string, ...any) {}
