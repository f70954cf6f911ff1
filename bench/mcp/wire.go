package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A workload says which tool is called and what its answer must hold.
type workload int

const (
	// workEcho calls echo with a payload that names its own request.
	workEcho workload = iota
	// workStateGet stores the payload once and reads it back with state_get.
	workStateGet
)

const (
	// Every id has ten digits, so every request of a measure has one length and
	// so has every answer of a deterministic server.
	firstID  = 1_000_000_000
	idDigits = 10

	legacyVersion = "2025-11-25"
	modernVersion = "2026-07-28"

	stateKey = "bench"
)

const clientInfo = `{"name":"ingot-bench","version":"1"}`

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + modernVersion +
	`","io.modelcontextprotocol/clientInfo":` + clientInfo +
	`,"io.modelcontextprotocol/clientCapabilities":{}}`

const (
	initializeLine = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"` + legacyVersion +
		`","capabilities":{},"clientInfo":` + clientInfo + `}}` + "\n"
	initializedLine = `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"
	discoverLine    = `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + modernMeta + `}}` + "\n"
)

// traffic makes the requests of one measure and checks their answers.
//
// The first answer is decoded in full. From it the form of all later answers
// is learnt: the same line but for its id and the tag in its payload. Later
// answers are compared byte for byte against that form, which checks all of
// the line and costs the driver a few ns; a line of another form is decoded in
// full again.
type traffic struct {
	work                        workload
	payloadBytes                int
	fill                        []byte // the payload after its tag
	requestHead, requestMiddle  []byte
	requestTail                 []byte
	answer                      form
	answersDecoded, answersSeen int
}

func newTraffic(work workload, payloadBytes int, modern bool) *traffic {
	t := &traffic{work: work, payloadBytes: payloadBytes, fill: make([]byte, payloadBytes-idDigits)}
	const letters = " etaoin shrdlu cmfwyp vbgkqjxz"
	for i := range t.fill {
		t.fill[i] = letters[i%len(letters)]
	}
	meta := ""
	if modern {
		meta = "," + modernMeta
	}
	t.requestHead = []byte(`{"jsonrpc":"2.0","id":`)
	switch work {
	case workEcho:
		t.requestMiddle = []byte(`,"method":"tools/call","params":{"name":"echo","arguments":{"message":"`)
		t.requestTail = []byte(string(t.fill) + `"}` + meta + "}}\n")
	case workStateGet:
		t.requestTail = []byte(`,"method":"tools/call","params":{"name":"state_get","arguments":{"key":"` + stateKey + `"}` + meta + "}}\n")
	}
	return t
}

// storeRequest is the state_set call that workStateGet needs once beforehand.
func (t *traffic) storeRequest(id int, modern bool) string {
	meta := ""
	if modern {
		meta = "," + modernMeta
	}
	value := string(t.payload(nil, firstID))
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"state_set","arguments":{"key":%q,"value":%q}%s}}`+"\n",
		id, stateKey, value, meta)
}

// appendRequest appends the request line with the given id.
func (t *traffic) appendRequest(dst []byte, id int) []byte {
	dst = append(dst, t.requestHead...)
	dst = strconv.AppendInt(dst, int64(id), 10)
	if t.work == workEcho {
		dst = append(dst, t.requestMiddle...)
		dst = appendTag(dst, id)
	}
	return append(dst, t.requestTail...)
}

// payload appends the payload that belongs to the request with the given id.
func (t *traffic) payload(dst []byte, id int) []byte {
	return append(appendTag(dst, id), t.fill...)
}

// expected is the payload that the answer to id must carry.
func (t *traffic) expected(id int) []byte {
	if t.work == workStateGet {
		id = firstID // stored once
	}
	return t.payload(nil, id)
}

// appendTag writes id in letters (a for 0 … j for 9), so that a payload names
// its request and yet holds no digits that could be taken for the id itself.
func appendTag(dst []byte, id int) []byte {
	at := len(dst)
	dst = strconv.AppendInt(dst, int64(id), 10)
	for i := at; i < len(dst); i++ {
		dst[i] += 'a' - '0'
	}
	return dst
}

// check verifies one answer line (without its newline) and returns its id.
func (t *traffic) check(line []byte) (int, error) {
	t.answersSeen++
	if id, ok := t.answer.match(line); ok {
		return id, nil
	}
	t.answersDecoded++
	id, err := t.decode(line)
	if err != nil {
		return 0, fmt.Errorf("answer %q: %w", clip(line), err)
	}
	t.answer = learnForm(line, id, t.work == workEcho)
	return id, nil
}

// decode checks an answer without assuming anything about its bytes.
func (t *traffic) decode(line []byte) (int, error) {
	var a struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      int             `json:"id"`
		Error   json.RawMessage `json:"error"`
		Result  struct {
			IsError bool `json:"isError"`
			Content []struct {
				Type string `json:"type"`
				Text string `json:"text"`
			} `json:"content"`
			Structured map[string]any `json:"structuredContent"`
		} `json:"result"`
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return 0, err
	}
	if a.JSONRPC != "2.0" || a.Error != nil || a.Result.IsError {
		return 0, errors.New("is no successful JSON-RPC answer")
	}
	if len(a.Result.Content) != 1 || a.Result.Content[0].Type != "text" {
		return 0, errors.New("does not hold one text block")
	}
	want, text := string(t.expected(a.ID)), a.Result.Content[0].Text
	if t.work == workEcho {
		if text != want {
			return 0, fmt.Errorf("the text is not the payload of request %d", a.ID)
		}
		return a.ID, nil
	}
	var inText map[string]any
	if err := json.Unmarshal([]byte(text), &inText); err != nil {
		return 0, fmt.Errorf("the text is not JSON: %w", err)
	}
	if a.Result.Structured["value"] != want || !reflect.DeepEqual(inText, a.Result.Structured) {
		return 0, errors.New("does not hold the stored value, in structuredContent and in the text alike")
	}
	return a.ID, nil
}

// A form is an answer line whose id and tags may vary.
type form struct {
	line   []byte // an answer; nil: nothing learnt yet
	idAt   int
	tagsAt []int
}

// learnForm returns the zero form (which matches nothing) when the id cannot
// be told from the rest of the line. Without tagged, the payload is a constant.
func learnForm(line []byte, id int, tagged bool) form {
	digits := []byte(strconv.Itoa(id))
	if len(digits) != idDigits || bytes.Count(line, digits) != 1 {
		return form{}
	}
	f := form{line: bytes.Clone(line), idAt: bytes.Index(line, digits)}
	tag := appendTag(nil, id)
	for from := 0; tagged; {
		i := bytes.Index(line[from:], tag)
		if i < 0 {
			break
		}
		f.tagsAt = append(f.tagsAt, from+i)
		from += i + idDigits
	}
	return f
}

// match reports whether line has the form, and its id. What it accepts equals
// a line that was decoded and found right, but for the id and its own tag.
func (f *form) match(line []byte) (int, bool) {
	if len(line) != len(f.line) || f.line == nil {
		return 0, false
	}
	// The variable parts are checked, then copied in, and the whole compared.
	digits := line[f.idAt : f.idAt+idDigits]
	id := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		id = id*10 + int(c-'0')
	}
	copy(f.line[f.idAt:], digits)
	for _, at := range f.tagsAt {
		for i, c := range digits {
			f.line[at+i] = c + ('a' - '0')
		}
	}
	return id, bytes.Equal(line, f.line)
}

func clip(line []byte) string {
	const shown = 200
	if len(line) <= shown {
		return string(line)
	}
	return strings.ToValidUTF8(string(line[:shown]), "") + "…"
}
