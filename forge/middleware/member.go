package middleware

import "github.com/go-json-experiment/json/jsontext"

// hasMember says whether a JSON object has a member of that name that is not null.
// The object's syntax was checked when it came in; of one that is broken it says no,
// or what it saw before. It is here for its speed: reading an object into a map takes
// longer than the rest of a chain.
func hasMember(object []byte, name string) bool {
	i := space(object, 0)
	if i >= len(object) || object[i] != '{' {
		return false
	}
	for i = space(object, i+1); i < len(object) && object[i] == '"'; i = space(object, i+1) {
		end := stringEnd(object, i)
		found := same(object[i:end], name)
		if i = space(object, end); i >= len(object) || object[i] != ':' {
			return false
		}
		i = space(object, i+1)
		if i >= len(object) {
			return false
		}
		if found {
			return object[i] != 'n'
		}
		if i = space(object, valueEnd(object, i)); i >= len(object) || object[i] != ',' {
			return false
		}
	}
	return false
}

// same says whether a quoted text is the text.
func same(quoted []byte, text string) bool {
	for _, c := range quoted {
		if c == '\\' {
			plain, err := jsontext.AppendUnquote(nil, quoted)
			return err == nil && string(plain) == text
		}
	}
	return len(quoted) >= 2 && string(quoted[1:len(quoted)-1]) == text
}

func space(s []byte, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// stringEnd is behind the text that begins at i.
func stringEnd(s []byte, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// valueEnd is behind the value that begins at i.
func valueEnd(s []byte, i int) int {
	for depth := 0; i < len(s); {
		switch s[i] {
		case '"':
			i = stringEnd(s, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // behind a number or word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(s)
}
