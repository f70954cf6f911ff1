package yamlfile

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// depthMax bounds how deep mappings and lists are nested.
const depthMax = 64

// JSON is a node as JSON, with variables of the environment put into its texts; nil
// after a fault. A value that is one variable and nothing else is a text, too.
// onText, when not nil, sees each text.
func (r *Reader) JSON(n *Node, what string, onText func(n *Node, text string)) json.RawMessage {
	before := r.Faults()
	var out bytes.Buffer
	r.json(&out, n, what, onText, 0)
	if r.Faults() > before || r.steps > stepsMax {
		return nil
	}
	return out.Bytes()
}

func (r *Reader) json(out *bytes.Buffer, n *Node, what string, onText func(*Node, string), depth int) {
	if depth > depthMax {
		r.Fault(n, "%s is nested more than %d deep; a reference to itself is, too", what, depthMax)
		return
	}
	x := r.Resolve(n)
	switch {
	case x == nil:
	case x.Kind == yaml.MappingNode:
		out.WriteByte('{')
		first := true
		r.Members(n, what, nil, func(key, value *Node) {
			if !first {
				out.WriteByte(',')
			}
			first = false
			writeString(out, key.Value)
			out.WriteByte(':')
			r.json(out, value, what, onText, depth+1)
		})
		out.WriteByte('}')
	case x.Kind == yaml.SequenceNode:
		out.WriteByte('[')
		for i, v := range x.Content {
			if i > 0 {
				out.WriteByte(',')
			}
			r.json(out, v, what, onText, depth+1)
		}
		out.WriteByte(']')
	default:
		r.jsonScalar(out, n, x, what, onText)
	}
}

// jsonScalar writes one value. n is where it is used, x where it stands.
func (r *Reader) jsonScalar(out *bytes.Buffer, n, x *Node, what string, onText func(*Node, string)) {
	switch x.Tag {
	case "!!null":
		out.WriteString("null")
	case "!!bool":
		out.WriteString(strings.ToLower(x.Value))
	case "!!int", "!!float":
		number, ok := jsonNumber(x.Value)
		if !ok {
			r.Fault(n, "%s has the number %s, which JSON cannot hold: write it as 12, -1.5 or 1e6, or in quotes if it is a text", what, x.Value)
		}
		out.WriteString(number)
	default:
		text, ok := r.Expand(n, x.Value)
		if ok && onText != nil {
			onText(n, text)
		}
		writeString(out, text)
	}
}

// jsonNumber is a YAML number as JSON has it.
func jsonNumber(text string) (string, bool) {
	if json.Valid([]byte(text)) {
		return text, true
	}
	plain := strings.ReplaceAll(text, "_", "")
	if digits := strings.TrimLeft(plain, "+-"); len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return "", false // 010 is 8 in some versions of YAML, and 10 in others
	}
	if v, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return strconv.FormatInt(v, 10), true
	}
	v, err := strconv.ParseFloat(plain, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return "", false
	}
	return strconv.FormatFloat(v, 'g', -1, 64), true
}

// writeString writes a text as JSON does, without escapes for HTML. Bytes that are not
// UTF-8, which only a variable can bring, become U+FFFD.
func writeString(out *bytes.Buffer, s string) {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text always encodes
	out.Truncate(out.Len() - 1)
}
