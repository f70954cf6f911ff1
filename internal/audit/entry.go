package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/internal/access"
	"github.com/ingot-run/ingot/mcp"
)

// Entry is one line of a log.
type Entry struct {
	Seq  uint64    `json:"seq"` // from 1 on, without gaps
	Time time.Time `json:"time"`
	// Event is empty for a request, or tells of the log itself: opened, repaired (Note
	// says what a crash had torn off), lost (Note says how many records could not be
	// written).
	Event string `json:"event,omitempty"`
	Note  string `json:"note,omitempty"`

	Who     string `json:"who,omitempty"`     // see access.Role.Principals
	Kind    string `json:"kind,omitempty"`    // of who: token, oauth, client, mtls, local or anonymous
	Client  string `json:"client,omitempty"`  // the OAuth client that acts for who
	Session string `json:"session,omitempty"` // where the transport has sessions
	ID      string `json:"id,omitempty"`      // of the JSON-RPC request, as raw JSON
	Method  string `json:"method,omitempty"`

	// Of these one at most is there.
	Tool     string `json:"tool,omitempty"`
	Resource string `json:"resource,omitempty"` // a URI
	Template string `json:"template,omitempty"` // a URI template
	Prompt   string `json:"prompt,omitempty"`
	Task     string `json:"task,omitempty"`

	// Outcome is one of the constants below; Code is that of the error.
	Outcome   string         `json:"outcome,omitempty"`
	Code      int            `json:"code,omitempty"`
	Micros    int64          `json:"micros,omitempty"` // until the answer was ready
	Arguments jsontext.Value `json:"arguments,omitempty"`

	Prev string `json:"prev"`
	Hash string `json:"hash"`
}

// The outcomes.
const (
	OutcomeOK     = "ok"
	OutcomeFailed = "failed" // a tool answered that it failed
	OutcomeDenied = "denied" // refused by rules or quotas
	OutcomeError  = "error"  // an error of the protocol
	OutcomeTask   = "task"   // it went on as a task
)

// What is kept of arguments.
const (
	ArgumentsHash   = "hash"   // an HMAC-SHA-256 of what was sent, with a key of the log's own
	ArgumentsRedact = "redact" // the names and the lengths of the values
	ArgumentsOmit   = "omit"   // nothing
)

const (
	hashLength = 2 * sha256.Size
	hashMember = `,"hash":"`
	tailLength = len(hashMember) + hashLength + len("\"}\n")
	// nameBytesMax bounds each text of an entry that comes from a client.
	nameBytesMax = 1 << 10
	// redactedMax bounds how many members of arguments are named.
	redactedMax = 64
)

var zeros = strings.Repeat("0", hashLength)

// appendEntry appends the line of an entry that has all but its hash, and returns that.
func appendEntry(dst []byte, e *Entry) ([]byte, string) {
	from := len(dst)
	dst = strconv.AppendUint(append(dst, `{"seq":`...), e.Seq, 10)
	dst = append(e.Time.UTC().AppendFormat(append(dst, `,"time":"`...), timeFormat), '"')
	for _, m := range [...]struct{ name, value string }{
		{"event", e.Event}, {"note", e.Note}, {"who", e.Who}, {"kind", e.Kind}, {"client", e.Client}, {"session", e.Session},
		{"id", e.ID}, {"method", e.Method}, {"tool", e.Tool}, {"resource", e.Resource}, {"template", e.Template},
		{"prompt", e.Prompt}, {"task", e.Task}, {"outcome", e.Outcome},
	} {
		if m.value != "" {
			dst = append(append(append(dst, `,"`...), m.name...), `":`...)
			dst = appendText(dst, m.value)
		}
	}
	if e.Code != 0 {
		dst = strconv.AppendInt(append(dst, `,"code":`...), int64(e.Code), 10)
	}
	if e.Event == "" {
		dst = strconv.AppendInt(append(dst, `,"micros":`...), e.Micros, 10)
	}
	if len(e.Arguments) > 0 {
		dst = append(append(dst, `,"arguments":`...), e.Arguments...)
	}
	dst = append(append(append(dst, `,"prev":"`...), e.Prev...), '"')
	sum := sha256.Sum256(dst[from:])
	dst = hex.AppendEncode(append(dst, hashMember...), sum[:])
	hash := string(dst[len(dst)-hashLength:])
	return append(dst, "\"}\n"...), hash
}

// timeFormat is RFC 3339 in UTC, to the microsecond.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// appendText appends a text as JSON, cut where it is long; what is no UTF-8 becomes U+FFFD.
func appendText(dst []byte, text string) []byte {
	if len(text) > nameBytesMax {
		cut := nameBytesMax - len("…")
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	out, err := jsontext.AppendQuote(dst, text)
	if err != nil { // the only error is of invalid UTF-8, which it has replaced
		return out
	}
	return out
}

// body is a line without its hash; false where it does not end in one, or in one that is
// not its own.
func body(line []byte) (text []byte, hash string, ok bool) {
	if len(line) < tailLength {
		return nil, "", false
	}
	cut := len(line) - tailLength
	tail := line[cut:]
	if string(tail[:len(hashMember)]) != hashMember || string(tail[len(hashMember)+hashLength:]) != "\"}\n" {
		return nil, "", false
	}
	sum := sha256.Sum256(line[:cut])
	hash = string(tail[len(hashMember) : len(hashMember)+hashLength])
	return line[:cut], hash, hash == hex.EncodeToString(sum[:])
}

// errChanged says that a line is not as it was written.
var errChanged = errors.New("the record is not as it was written: its hash is another")

// parse reads a line, and checks its hash.
func parse(line []byte) (e Entry, err error) {
	if _, _, ok := body(line); !ok {
		return e, errChanged
	}
	if err := json.Unmarshal(bytes.TrimSuffix(line, []byte{'\n'}), &e); err != nil {
		return e, fmt.Errorf("the record is no entry of a log: %w", err)
	}
	return e, nil
}

// draft is what it takes to make an entry, used again and again.
type draft struct {
	mac       hash.Hash // of arguments, with the log's key
	arguments []byte
	sum       []byte
}

func (l *Log) newDraft() any { return &draft{mac: hmac.New(sha256.New, l.key)} }

// entryOf makes the entry of a request, without its place in the chain. It is good until d
// is used again.
func (l *Log) entryOf(d *draft, who access.Caller, r *mcp.Record) Entry {
	e := Entry{
		Time: r.Began, Who: l.clean(who.Name), Kind: who.Kind(), Client: l.clean(who.Client), Session: r.Session, ID: string(r.ID),
		Method: r.Method, Code: r.Code, Micros: r.Took.Microseconds(), Arguments: l.arguments(d, r.Arguments),
	}
	name := l.clean(r.Name)
	switch r.Kind {
	case mcp.KindTool:
		e.Tool = name
	case mcp.KindResource:
		e.Resource = name
	case mcp.KindTemplate:
		e.Template = name
	case mcp.KindPrompt:
		e.Prompt = name
	default:
		e.Task = name
	}
	switch {
	case r.Code == mcp.CodeInvalidRequest:
		e.Outcome = OutcomeDenied
	case r.Code != 0:
		e.Outcome = OutcomeError
	case r.Task:
		e.Outcome = OutcomeTask
	case r.Failed:
		e.Outcome = OutcomeFailed
	default:
		e.Outcome = OutcomeOK
	}
	return e
}

// clean keeps secrets out of a text.
func (l *Log) clean(text string) string {
	if l.options.Redact == nil || text == "" {
		return text
	}
	return l.options.Redact(text)
}

// arguments is what is kept of arguments, as JSON; nil: nothing.
func (l *Log) arguments(d *draft, raw []byte) jsontext.Value {
	if len(raw) == 0 {
		return nil
	}
	switch l.options.Arguments {
	case ArgumentsOmit:
		return nil
	case ArgumentsRedact:
		return redacted(raw)
	}
	d.mac.Reset()
	d.mac.Write(raw)
	d.sum = d.mac.Sum(d.sum[:0])
	d.arguments = append(hex.AppendEncode(append(d.arguments[:0], `"hmac-sha256:`...), d.sum), '"')
	return d.arguments
}

// redacted is an object with the kind and the length of each member in the place of its
// value. Names are those of parameters, which clients choose: long ones are cut.
func redacted(raw []byte) jsontext.Value {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return jsontext.Value(fmt.Sprintf(`"%d bytes"`, len(raw)))
	}
	out := []byte{'{'}
	for n := 0; d.PeekKind() != '}'; n++ {
		name, err := d.ReadToken()
		if err != nil {
			break
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			break
		}
		if n == redactedMax {
			out = append(out, `,"…":"more"`...)
			break
		}
		if n > 0 {
			out = append(out, ',')
		}
		if len(key) > 64 || strings.Contains(key, "…") {
			key = strings.ToValidUTF8(key[:min(len(key), 64)], "") + "…" + strconv.Itoa(n)
		}
		out = append(appendText(out, key), ':')
		kind := map[jsontext.Kind]string{'"': "text", '{': "object", '[': "list", 'n': "null", 't': "boolean", 'f': "boolean", '0': "number"}[value.Kind()]
		out = appendText(out, kind+" of "+strconv.Itoa(len(value))+" bytes")
	}
	return append(out, '}')
}
