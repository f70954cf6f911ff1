// Command go-count is a tool that counts the words of a text and keeps a running
// total in the host's state. rust-count, c-count and as-count are the same tool in
// other languages.
//
// Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o count_go.wasm .
package main

import (
	"strings"

	guest "github.com/ingot-run/ingot/guest/go"
)

// Args are the tool's arguments.
type Args struct {
	Text    string `json:"text" doc:"the text to count" max:"100000"`
	Counter string `json:"counter,omitempty" doc:"which running total to add to; all by default" min:"1" max:"64"`
}

// Result is what the tool answers.
type Result struct {
	Words int   `json:"words" doc:"runs of anything but spaces, tabs and line breaks"`
	Lines int   `json:"lines" doc:"lines, the last one counted even without a line break"`
	Bytes int   `json:"bytes" doc:"length in UTF-8"`
	Total int64 `json:"total" doc:"words under this counter, this call included"`
}

func init() {
	guest.Register(guest.Tool{
		Name:        "count_go",
		Title:       "Word counter (Go)",
		Description: "Counts the words, lines and bytes of a text, and adds the words to a running total.",
		Hints:       &guest.Hints{},
	}, count)
}

func main() {}

// count counts one text.
func count(a Args) (Result, error) {
	counter := a.Counter
	if counter == "" {
		counter = "all"
	}
	if !validCounter(counter) {
		return Result{}, guest.Fail("bad_counter", "a counter's name has the characters a-z, 0-9 and - only")
	}
	words := strings.FieldsFunc(a.Text, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' })
	lines := strings.Count(a.Text, "\n")
	if a.Text != "" && !strings.HasSuffix(a.Text, "\n") {
		lines++
	}
	total, err := guest.StateIncrement("count/"+counter, int64(len(words)), 0)
	if err != nil {
		return Result{}, err
	}
	guest.Log(guest.LevelInfo, "counted %d words", len(words))
	return Result{Words: len(words), Lines: lines, Bytes: len(a.Text), Total: total}, nil
}

// validCounter says whether a counter may be called so.
func validCounter(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}
