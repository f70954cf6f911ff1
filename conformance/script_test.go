package conformance

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// command is a command of a script with what it was given.
type command struct {
	name    string
	words   []string          // positional arguments, in order
	options map[string]string // NAME=VALUE, and NAME alone with an empty value
	lines   []command         // the lines that begin with "+", for batch
}

// rewrite runs a script: every command goes to do, and what do prints takes the
// place of the lines that stood under the command. Comments and empty lines
// stay. A script that conforms comes out as it went in.
func rewrite(script string, do func(command) string) (string, error) {
	var out strings.Builder
	lines := strings.Split(strings.TrimSuffix(script, "\n"), "\n")
	for i := 0; i < len(lines); {
		line := lines[i]
		i++
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
		case strings.HasPrefix(line, "> "):
			c, err := parse(line[2:])
			if err != nil {
				return "", fmt.Errorf("line %d: %w", i, err)
			}
			out.WriteString(line + "\n")
			for ; i < len(lines) && strings.HasPrefix(lines[i], "+ "); i++ {
				part, err := parse(lines[i][2:])
				if err != nil {
					return "", fmt.Errorf("line %d: %w", i+1, err)
				}
				out.WriteString(lines[i] + "\n")
				c.lines = append(c.lines, part)
			}
			for i < len(lines) && lines[i] != "" && !strings.HasPrefix(lines[i], "#") && !strings.HasPrefix(lines[i], "> ") {
				i++ // the output that was expected
			}
			out.WriteString(do(c) + "\n")
		default:
			return "", fmt.Errorf("line %d is no comment, no command and no output: %s", i, line)
		}
	}
	return out.String(), nil
}

var optionPattern = regexp.MustCompile(`^([a-zA-Z]+)=`)

// parse splits a command line into words, which are separated by single spaces
// outside of quotes.
func parse(line string) (command, error) {
	words, err := split(line)
	if err != nil {
		return command{}, err
	}
	c := command{name: words[0], options: map[string]string{}}
	for _, w := range words[1:] {
		if m := optionPattern.FindStringSubmatch(w); m != nil {
			c.options[m[1]] = w[len(m[0]):]
		} else if flags[w] {
			c.options[w] = ""
		} else {
			c.words = append(c.words, w)
		}
	}
	return c, nil
}

// flags are the options that have no value.
var flags = map[string]bool{"keepTtl": true, "ifAbsent": true, "values": true}

func split(line string) (words []string, err error) {
	start, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch {
		case quoted && line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ' ' && !quoted:
			words = append(words, line[start:i])
			start = i + 1
		}
	}
	words = append(words, line[start:])
	for _, w := range words {
		if w == "" || quoted {
			return nil, fmt.Errorf("an empty word or an open quote in: %s", line)
		}
	}
	return words, nil
}

// parseBytes reads "text" or 0xHEX, either with *COUNT behind it.
func parseBytes(word string) []byte {
	count := 1
	if i := strings.LastIndexByte(word, '*'); i > 0 && (word[i-1] == '"' || strings.HasPrefix(word, "0x")) {
		count = int(parseInt(word[i+1:]))
		word = word[:i]
	}
	var b []byte
	if digits, ok := strings.CutPrefix(word, "0x"); ok {
		var err error
		if b, err = hex.DecodeString(digits); err != nil {
			panic(fmt.Sprintf("%s is not hexadecimal", word))
		}
	} else {
		var text string
		if err := json.Unmarshal([]byte(word), &text); err != nil {
			panic(fmt.Sprintf("%s is neither a JSON string nor 0xHEX", word))
		}
		b = []byte(text)
	}
	return bytes.Repeat(b, count)
}

func parseInt(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s is not a whole number", word))
	}
	return n
}

// parseDuration reads 100ms, 0.5s, 3m, 2h or 10d, negative ones too.
func parseDuration(word string) time.Duration {
	m := durationPattern.FindStringSubmatch(word)
	if m == nil {
		panic(fmt.Sprintf("%s is not a duration", word))
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		panic(err)
	}
	return time.Duration(n * float64(durationUnits[m[2]]))
}

var durationPattern = regexp.MustCompile(`^([+-]?[0-9.]+)(ms|s|m|h|d)$`)

var durationUnits = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
}

// shownBytesMax is up to which length bytes are shown in full; longer runs of one byte
// are shown with a count.
const shownBytesMax = 64

// showBytes is the one way in which bytes are printed: text in quotes where
// they are UTF-8 without control characters, else 0xHEX.
func showBytes(b []byte) string {
	if len(b) > shownBytesMax && bytes.Count(b, b[:1]) == len(b) {
		return fmt.Sprintf("%s*%d", showBytes(b[:1]), len(b))
	}
	plain := utf8.Valid(b)
	for _, c := range b {
		plain = plain && c >= 0x20 && c != 0x7f
	}
	if !plain {
		return "0x" + hex.EncodeToString(b)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(b)) + `"`
}
