package sandbox

import (
	"bytes"
	"context"
	"log/slog"
)

// The levels of the log import; see docs/ABI.md.
const (
	levelDebug = iota
	levelInfo
	levelWarn
	levelError
)

const (
	// logLineBytesMax bounds one line; a longer one is cut.
	logLineBytesMax = 4 << 10
	// stderrHeadBytes is how much of stderr is kept to explain an exit.
	stderrHeadBytes = 2 << 10
)

// callLog takes what a guest logs and prints in one call, within its bounds. An
// instance runs on one goroutine at a time, so it needs no lock.
type callLog struct {
	ctx    context.Context
	logger *slog.Logger
	limits *Limits

	lines, bytes uint64
	truncated    bool
	stderrHead   []byte

	stdout, stderr lineWriter
}

// open makes l the log of one call.
func (l *callLog) open(ctx context.Context, logger *slog.Logger, limits *Limits) {
	*l = callLog{ctx: ctx, logger: logger, limits: limits}
	l.stdout = lineWriter{log: l, level: levelInfo}
	l.stderr = lineWriter{log: l, level: levelWarn}
}

// line logs one line, or drops it when the call has logged enough.
func (l *callLog) line(level int32, text []byte) {
	if l.lines >= l.limits.LogLinesMax || l.bytes+uint64(len(text)) > l.limits.LogBytesMax {
		if !l.truncated {
			l.truncated = true
			l.logger.LogAttrs(l.ctx, slog.LevelWarn, "the tool logs too much: the rest of this call's log is dropped",
				slog.Uint64("linesMax", l.limits.LogLinesMax), slog.Uint64("bytesMax", l.limits.LogBytesMax))
		}
		return
	}
	l.lines++
	l.bytes += uint64(len(text))
	l.logger.LogAttrs(l.ctx, slogLevel(level), clip(string(text), logLineBytesMax))
}

// slogLevel maps a level of the ABI; numbers outside it go to the nearest.
func slogLevel(level int32) slog.Level {
	switch {
	case level <= levelDebug:
		return slog.LevelDebug
	case level == levelInfo:
		return slog.LevelInfo
	case level == levelWarn:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

// flush logs lines that lack their end.
func (l *callLog) flush() {
	for _, w := range []*lineWriter{&l.stdout, &l.stderr} {
		if len(w.pending) > 0 {
			l.line(w.level, w.pending)
			w.pending = nil
		}
	}
}

// lineWriter cuts a stream into lines.
type lineWriter struct {
	log     *callLog
	level   int32
	pending []byte
}

// Write implements io.Writer; it never fails, so that a guest that prints too
// much is not disturbed.
func (w *lineWriter) Write(p []byte) (int, error) {
	written := len(p)
	if w.level == levelWarn {
		w.log.keepHead(p)
	}
	for len(p) > 0 {
		if w.log.truncated {
			return written, nil
		}
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		if room := logLineBytesMax - len(w.pending); len(line) > room {
			line, rest, ended = p[:room], p[room:], true
		}
		w.pending = append(w.pending, line...)
		p = rest
		if ended {
			w.log.line(w.level, w.pending)
			w.pending = w.pending[:0]
		}
	}
	return written, nil
}

// keepHead remembers the first bytes of stderr: a crash prints its reason there.
func (l *callLog) keepHead(p []byte) {
	room := stderrHeadBytes - len(l.stderrHead)
	l.stderrHead = append(l.stderrHead, p[:min(room, len(p))]...)
}
