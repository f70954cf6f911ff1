package middleware

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// Bounds of what is logged.
const (
	loggedBytesMax = 4 << 10  // of one value, as it is logged
	looked         = 64 << 10 // bytes of a value up to which it is looked at
)

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// logging writes a line for each call: at its level for a success, at least as a
// warning for a failure. It says who called where that is known.
func (w *wrapping) logging(c *config.Logging) layer {
	log := w.shared.options.Logger.With("tool", w.tool.Name)
	if c.Tag != "" {
		log = log.With("tag", c.Tag)
	}
	level, red := levels[c.Level], newRedaction(c.Redact, w.shared.options.Secrets)
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			begin := time.Now()
			result, err := next(ctx, r)
			class, at := classOf(result, err), level
			if class != "" {
				at = max(at, slog.LevelWarn)
			}
			if !log.Enabled(ctx, at) {
				return result, err
			}
			attributes := append(make([]slog.Attr, 0, 5), slog.Duration("took", time.Since(begin)))
			if who := principalOf(r); who != "" {
				attributes = append(attributes, slog.String("principal", who))
			}
			if class != "" {
				attributes = append(attributes, slog.String("class", string(class)), slog.String("error", fault.Shorten(red.secrets.Redact(messageOf(result, err)), loggedBytesMax)))
			}
			if c.IncludeRequest {
				attributes = append(attributes, slog.String("arguments", red.json(r.Arguments)))
			}
			if c.IncludeResponse && result != nil {
				attributes = append(attributes, slog.String("answer", red.answer(result)))
			}
			log.LogAttrs(ctx, at, "call", attributes...)
			return result, err
		}
	}
}

// redaction keeps secrets out of what is logged.
type redaction struct {
	names   map[string]bool // of members that the file names, plain
	secrets config.Secrets
}

// secretEndings are how names of members end that hold secrets.
var secretEndings = []string{"password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "credential", "credentials", "cookie", "privatekey", plain(config.HandleParam)}

const redacted = "[redacted]"

func newRedaction(names []string, secrets config.Secrets) *redaction {
	r := &redaction{names: map[string]bool{}, secrets: secrets}
	for _, name := range names {
		r.names[plain(name)] = true
	}
	return r
}

// plain is a name without case, dashes and underscores.
func plain(name string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
}

// hides says whether a member's value is not to be seen.
func (r *redaction) hides(name string) bool {
	name = plain(name)
	for _, ending := range secretEndings {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return r.names[name]
}

// answer is what a result says.
func (r *redaction) answer(result *mcp.CallResult) string {
	if result.Structured != nil {
		return r.json(result.Structured)
	}
	var texts []string
	for _, c := range result.Content {
		switch {
		case c.Type != mcp.ContentText:
			texts = append(texts, fmt.Sprintf("[%s]", c.Type))
		case strings.HasPrefix(c.Text, config.HandleParam+": "):
			texts = append(texts, config.HandleParam+": "+redacted)
		case strings.HasPrefix(c.Text, "{"), strings.HasPrefix(c.Text, "["):
			texts = append(texts, r.json([]byte(c.Text)))
		default:
			texts = append(texts, fault.Shorten(r.secrets.Redact(fault.Shorten(c.Text, looked)), loggedBytesMax))
		}
	}
	return fault.Shorten(strings.Join(texts, "\n"), loggedBytesMax)
}

// json is a JSON text without secrets. Of one that is too long or no JSON, it says so
// and no more.
func (r *redaction) json(text []byte) string {
	if len(text) > looked {
		return fmt.Sprintf("[%d bytes]", len(text))
	}
	var out bytes.Buffer
	e := jsontext.NewEncoder(&out)
	if err := r.copy(e, jsontext.NewDecoder(bytes.NewReader(text))); err != nil {
		return fmt.Sprintf("[%d bytes that are no JSON]", len(text))
	}
	return fault.Shorten(strings.TrimSuffix(out.String(), "\n"), loggedBytesMax)
}

// copy copies one value.
func (r *redaction) copy(e *jsontext.Encoder, d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '{':
		return r.copyObject(e, d)
	case '[':
		if err := pass(e, d); err != nil {
			return err
		}
		for d.PeekKind() != ']' {
			if err := r.copy(e, d); err != nil {
				return err
			}
		}
		return pass(e, d)
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	if kind := token.Kind(); kind == '"' || kind == '0' {
		text := token.String()
		if shown := r.secrets.Redact(text); kind == '"' || shown != text {
			return e.WriteToken(jsontext.String(shown))
		}
	}
	return e.WriteToken(token)
}

func (r *redaction) copyObject(e *jsontext.Encoder, d *jsontext.Decoder) error {
	if err := pass(e, d); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		if err := e.WriteToken(jsontext.String(r.secrets.Redact(name))); err != nil {
			return err
		}
		if !r.hides(name) {
			err = r.copy(e, d)
		} else if err = d.SkipValue(); err == nil {
			err = e.WriteToken(jsontext.String(redacted))
		}
		if err != nil {
			return err
		}
	}
	return pass(e, d)
}

// pass copies one token.
func pass(e *jsontext.Encoder, d *jsontext.Decoder) error {
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	return e.WriteToken(token)
}
