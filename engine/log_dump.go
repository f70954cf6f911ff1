package engine

import (
	"bufio"
	"encoding/base64"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/ingot-run/ingot/internal/message"
)

// Dump writes the entries of the store in o.Dir to w, in key order, a JSON object a
// line: key or key_base64 (where it is not UTF-8), value or value_base64, version,
// and expires_at in Unix milliseconds where the entry ends. An empty value has
// neither. It changes nothing. Errors are those of Open, and w's.
func Dump(o Options, w io.Writer) error {
	return offline(o, func(_ *wal, r *recovery) error {
		if err := r.run(); err != nil {
			return err
		}
		r.s.lastTime.Store(max(r.s.lastTime.Load(), r.time))
		out := bufio.NewWriter(w)
		var line []byte
		for after := ""; ; {
			page, err := r.s.List(ListOptions{After: after, Limit: 1000, Values: true})
			if err != nil {
				return err
			}
			for _, e := range page.Entries {
				line = appendDumped(line[:0], &e)
				if _, err := out.Write(line); err != nil {
					return message.Errorf("engine: writing the dump: %w", err)
				}
			}
			if after = page.Next; after == "" {
				return out.Flush()
			}
		}
	})
}

// appendDumped appends the line of an entry.
func appendDumped(b []byte, e *ListEntry) []byte {
	b = append(b, '{')
	b = appendDumpedText(b, "key", e.Key)
	b = appendDumpedText(b, "value", string(e.Value))
	b = strconv.AppendUint(append(b, `"version":`...), e.Version, 10)
	if e.ExpiresAt != 0 {
		b = strconv.AppendInt(append(b, `,"expires_at":`...), e.ExpiresAt, 10)
	}
	return append(b, '}', '\n')
}

// appendDumpedText appends a field of JSON, or nothing for an empty text. It is by hand
// since engine.wasm would have encoding/json's tables, which nothing there uses. The
// escapes are that package's.
func appendDumpedText(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	b = append(append(b, '"'), name...)
	if !utf8.ValidString(text) {
		b = base64.StdEncoding.AppendEncode(append(b, `_base64":"`...), []byte(text))
		return append(b, `",`...)
	}
	b = append(b, `":"`...)
	const hex = "0123456789abcdef"
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c < ' ' || c == '\u2028' || c == '\u2029':
			b = append(b, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, `",`...)
}
