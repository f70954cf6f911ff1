package mcp

import "bytes"

// A client's calls of one tool differ in their id and their arguments, and in nothing
// else. repeat remembers the rest of one message that was accepted: where the same
// bytes stand in the same places again they are compared, not scanned. What differs
// is scanned as ever, so that a message is accepted by this way exactly when it is by
// the long one (FuzzRepeat compares the two).
//
//	fixed  {"jsonrpc":"2.0","id":   ,"method":"tools/call","params":{"name":"echo","arguments":   }}
//	varied                       17                                                      {"message":"hello"}
type repeat struct {
	fixed    []byte // what does not differ, without the gaps
	depthMax int
	first    varied // in the order of the text; whole spans, gaps included
	second   varied
	top      []member
	params   []member
	method   span
	body     span // the value of params

	one, two int32 // how far things have moved in the message at hand

	// What a reader has made of the message; nil when it has not come to that.
	meta *requestMeta
	tool *tool     // unless the call has more than a name and arguments
	of   *snapshot // where the tool was found
}

// varied is a part that differs.
type varied struct {
	span
	isID bool // else it is the arguments
}

// repeatBytesMax bounds what is remembered.
const repeatBytesMax = 4 << 10

// remember has s compare the next message with this one, which is a request that was
// scanned and classified, if it is of the usual form.
func (s *scanner) remember() {
	r := s.repeat
	r.fixed = r.fixed[:0] // forget, whatever comes
	r.meta, r.tool, r.of = nil, nil, nil
	if len(s.scratch) > 0 {
		return // a name or the method has escapes
	}
	id, arguments := varied{isID: true}, varied{}
	for i := range s.top {
		switch string(s.at(s.top[i].name)) {
		case "id":
			id.span = s.top[i].value
		case "method":
			r.method = s.top[i].value
		case "params":
			r.body = s.top[i].value
		}
	}
	for i := range s.params {
		if string(s.at(s.params[i].name)) == "arguments" {
			arguments.span = s.params[i].value
		}
	}
	if id.end == 0 || arguments.end == 0 || s.data[arguments.start] != '{' ||
		len(s.data)-int(arguments.end-arguments.start) > repeatBytesMax {
		return
	}
	r.first, r.second = id, arguments
	if id.start > arguments.start {
		r.first, r.second = arguments, id
	}
	r.depthMax = s.depthMax
	r.top, r.params = append(r.top[:0], s.top...), append(r.params[:0], s.params...)
	r.fixed = append(r.fixed, s.data[:r.first.start]...)
	r.fixed = append(r.fixed, s.data[r.first.end:r.second.start]...)
	r.fixed = append(r.fixed, s.data[r.second.end:]...)
}

// again scans text as a repetition; false says that it is none, and that s has to be
// reset.
func (s *scanner) again() bool {
	r := s.repeat
	if len(r.fixed) == 0 || r.depthMax != s.depthMax {
		return false
	}
	between := int(r.second.start - r.first.end)
	before := int(r.first.start)
	if !bytes.HasPrefix(s.data, r.fixed[:before]) {
		return false
	}
	firstEnd := s.vary(before, r.first.isID)
	if firstEnd < 0 || !bytes.HasPrefix(s.data[firstEnd:], r.fixed[before:before+between]) {
		return false
	}
	secondEnd := s.vary(firstEnd+between, r.second.isID)
	if secondEnd < 0 || string(s.data[secondEnd:]) != string(r.fixed[before+between:]) {
		return false
	}
	r.one, r.two = int32(firstEnd)-r.first.end, int32(secondEnd)-r.second.end
	return validID(s.at(r.moved(r.id())))
}

// vary scans a part that differs, and returns the index behind it, or -1.
func (s *scanner) vary(i int, isID bool) int {
	if i >= len(s.data) {
		return -1
	}
	if isID {
		if s.data[i] == '{' || s.data[i] == '[' {
			return -1
		}
		return s.value(i, 1)
	}
	if s.data[i] != '{' {
		return -1
	}
	s.inArguments = true
	end := s.object(i, 3) // inside the message and its params
	s.inArguments = false
	return end
}

// repeated returns the message that again has found, and notes its members: what
// stood behind the first part that differs has moved by one step, what stood behind
// the second by another.
func (s *scanner) repeated() message {
	r := s.repeat
	for _, m := range r.top {
		s.top = append(s.top, member{r.moved(m.name), r.moved(m.value)})
	}
	for _, m := range r.params {
		s.params = append(s.params, member{r.moved(m.name), r.moved(m.value)})
	}
	method := s.at(r.moved(r.method))
	return message{
		scanner: s, kind: kindRequest, again: true,
		id: s.at(r.moved(r.id())), method: method[1 : len(method)-1], params: s.at(r.moved(r.body)),
	}
}

// argumentsNow returns the arguments of the message that again has found.
func (s *scanner) argumentsNow() []byte {
	if r := s.repeat; r.first.isID {
		return s.at(r.moved(r.second.span))
	} else {
		return s.at(r.moved(r.first.span))
	}
}

// id returns where the id was.
func (r *repeat) id() span {
	if r.first.isID {
		return r.first.span
	}
	return r.second.span
}

// moved returns where a span is now.
func (r *repeat) moved(where span) span { return span{r.movedTo(where.start), r.movedTo(where.end)} }

func (r *repeat) movedTo(x int32) int32 {
	switch {
	case x <= r.first.start:
		return x
	case x <= r.second.start:
		return x + r.one
	}
	return x + r.two
}
