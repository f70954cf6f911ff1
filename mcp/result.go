package mcp

// TextResult returns a result with one text block.
func TextResult(text string) *CallResult {
	return new(textResult).set(text) // one allocation for the result and its block
}

// ErrorResult returns a result with one text block and IsError set.
func ErrorResult(text string) *CallResult {
	r := TextResult(text)
	r.IsError = true
	return r
}

// StructuredResult encodes v as the result's structured content and, for
// clients that know none, as its text. v should make a JSON object: clients of
// the legacy era get no other structured content. Names come from json tags, with
// omitzero and omitempty; a type may have MarshalJSON or MarshalText.
func StructuredResult(v any) (*CallResult, error) {
	raw, err := appendValue(nil, v)
	if err != nil {
		return nil, wrap("encoding a structured result: ", err)
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, newError("a structured result is a JSON object; " + typeName(v) + " makes " + shown(raw))
	}
	return StructuredJSON(raw), nil
}

// StructuredJSON is StructuredResult for a JSON text that is ready. The
// server keeps raw, and checks it when it sends the result: a text that is not
// JSON is answered with -32603.
func StructuredJSON(raw []byte) *CallResult {
	r := TextResult(string(raw))
	r.Structured = raw
	return r
}
