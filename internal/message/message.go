// Package message makes texts and errors as package fmt does, from a few verbs and
// types. fmt brings reflect, os and tables of its own: engine.wasm would be half as
// large again with it (docs/RATIONALE.md, "Why is engine.wasm not smaller?").
//
// [Sprintf] and [Errorf] take the verbs
//
//	%v %s   text, an error, a number
//	%w      an error, which the result wraps (Errorf only; it may stand several times)
//	%d      a number
//	%x      a number in hexadecimal; %#x with 0x before it, %016x filled up by zeros
//	%q      a text in quotes; %.80q after its first 80 characters at most
//	%%      a percent sign
//
// for arguments of the types string, error, int, int64, uint64, uint32, uint16 and
// byte, and write what fmt writes.
//
// # Caveats
//
// An argument of another type, named ones too, is a mistake that the compiler does not
// see: convert it. It prints as "%!v". A test looks at all arguments of package engine,
// and `go vet` compares them with the verbs.
package message

import (
	"strconv"
	"strings"
)

// Sprintf is the text of format and its arguments.
func Sprintf(format string, args ...any) string {
	vetted(format, args...)
	text, _ := sprint(format, args, nil)
	return text
}

// Errorf is an error with that text, which errors.Is and errors.As see the arguments of
// %w through.
func Errorf(format string, args ...any) error {
	vetted(format, args...)
	e := &wrapping{}
	e.text, e.wrapped = sprint(format, args, e.room[:0])
	return e
}

// wrapping is an error that says more about others.
type wrapping struct {
	text    string
	wrapped []error
	room    [2]error // for wrapped, mostly
}

func (e *wrapping) Error() string   { return e.text }
func (e *wrapping) Unwrap() []error { return e.wrapped }

// verb is one place in a format for an argument.
type verb struct {
	letter    byte
	sharp     bool // 0x before a hexadecimal number
	digits    int  // of a hexadecimal number, at least
	precision int  // characters of a quoted text, at most; 0 for all
}

// next splits a format at its first verb. Without one, v.letter is 0.
func next(format string) (text string, v verb, rest string) {
	at := strings.IndexByte(format, '%')
	if at < 0 || at == len(format)-1 {
		return format, v, ""
	}
	text = format[:at]
	number, width := 0, true
	for i := at + 1; i < len(format); i++ {
		switch c := format[i]; {
		case c == '#':
			v.sharp = true
		case c == '.':
			v.digits, number, width = number, 0, false
		case '0' <= c && c <= '9':
			number = number*10 + int(c-'0')
		default:
			if v.letter = c; width {
				v.digits = number
			} else {
				v.precision = number
			}
			return text, v, format[i+1:]
		}
	}
	return format, verb{}, ""
}

// sprint is the text, and the arguments of %w behind those in wrapped.
func sprint(format string, args []any, wrapped []error) (string, []error) {
	var room [256]byte
	b := room[:0]
	for {
		before, v, rest := next(format)
		b = append(b, before...)
		switch {
		case v.letter == 0:
			return string(b), wrapped
		case v.letter == '%':
			b = append(b, '%')
		case len(args) == 0:
			b = append(b, "%!"...)
		default:
			if err, ok := args[0].(error); ok && v.letter == 'w' {
				wrapped = append(wrapped, err)
			}
			b = v.append(b, args[0])
			args = args[1:]
		}
		format = rest
	}
}

// append writes an argument.
func (v verb) append(b []byte, arg any) []byte {
	switch a := arg.(type) {
	case string:
		return v.appendText(b, a)
	case error:
		return v.appendText(b, a.Error())
	case nil:
		return append(b, "<nil>"...)
	case int:
		return v.appendInt(b, int64(a))
	case int64:
		return v.appendInt(b, a)
	case uint64:
		return v.appendUint(b, a)
	case uint32:
		return v.appendUint(b, uint64(a))
	case uint16:
		return v.appendUint(b, uint64(a))
	case byte:
		return v.appendUint(b, uint64(a))
	}
	return append(b, "%!v"...)
}

func (v verb) appendText(b []byte, s string) []byte {
	if v.letter != 'q' {
		return append(b, s...)
	}
	if v.precision > 0 {
		n := 0
		for i := range s {
			if n == v.precision {
				s = s[:i]
				break
			}
			n++
		}
	}
	return strconv.AppendQuote(b, s)
}

func (v verb) appendInt(b []byte, n int64) []byte {
	if n >= 0 {
		return v.appendUint(b, uint64(n))
	}
	return v.appendUint(append(b, '-'), -uint64(n))
}

func (v verb) appendUint(b []byte, n uint64) []byte {
	if v.letter != 'x' {
		return strconv.AppendUint(b, n, 10)
	}
	if v.sharp {
		b = append(b, "0x"...)
	}
	var digits [16]byte
	hex := strconv.AppendUint(digits[:0], n, 16)
	for range v.digits - len(hex) {
		b = append(b, '0')
	}
	return append(b, hex...)
}
