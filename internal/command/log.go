package command

import (
	"io"
	"log/slog"

	"github.com/ingot-run/ingot/internal/trace"
)

// LogFlags are the flags of a command that logs on stderr.
type LogFlags struct {
	LogFormat string     `enum:"text,json" default:"text" placeholder:"FORMAT" help:"How lines are logged on stderr: text, or json. (${default})"`
	LogLevel  slog.Level `default:"info" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn or error. (${default})"`
}

// Logger logs to w as the flags say. Lines of a call that is traced name its trace and
// span.
func (f *LogFlags) Logger(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: f.LogLevel}
	if f.LogFormat == "json" {
		return slog.New(trace.Handler(slog.NewJSONHandler(w, o)))
	}
	return slog.New(trace.Handler(slog.NewTextHandler(w, o)))
}
