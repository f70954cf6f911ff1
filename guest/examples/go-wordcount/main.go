// Command go-wordcount is a tool that measures a text: lines, words, characters
// and the words used most, for any script that separates words. It shows the Go
// guest SDK.
//
// Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o wordcount.wasm .
package main

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	guest "github.com/ingot-run/ingot/guest/go"
)

// Args are the tool's arguments.
type Args struct {
	Text      string `json:"text" doc:"the text to measure"`
	Top       *int   `json:"top" doc:"how many of the most used words to list; 10 by default" min:"0" max:"1000"`
	MinLength int    `json:"min_length,omitempty" doc:"list only words of at least this many characters" min:"0" max:"100"`
	MatchCase bool   `json:"match_case,omitempty" doc:"count The and the as two words"`
}

// Result is what the tool answers.
type Result struct {
	Lines          int         `json:"lines" doc:"lines, the last one counted even without a line break"`
	Words          int         `json:"words"`
	DistinctWords  int         `json:"distinct_words"`
	Characters     int         `json:"characters" doc:"Unicode code points, line breaks included"`
	Bytes          int         `json:"bytes" doc:"length in UTF-8"`
	ReadingSeconds int         `json:"reading_seconds" doc:"at 238 words a minute"`
	Top            []WordCount `json:"top"`
}

// WordCount is one word and how often it occurs.
type WordCount struct {
	Word  string `json:"word"`
	Count int    `json:"count"`
}

// wordsPerMinute is the mean silent reading rate of English non-fiction found by
// Brysbaert (2019), "How many words do we read per minute?".
const wordsPerMinute = 238

func init() {
	guest.Register(guest.Tool{
		Name:        "wordcount",
		Title:       "Word count",
		Description: "Measures a text: lines, words, distinct words, characters, bytes, reading time, and the most used words with their counts.",
		Hints:       &guest.Hints{ReadOnly: true, Idempotent: true},
	}, measure)
}

func main() {}

// measure counts one text.
func measure(a Args) (Result, error) {
	counts := map[string]int{}
	words := 0
	for word := range strings.FieldsFuncSeq(a.Text, notInWord) {
		word = strings.Trim(word, "'’-")
		if word == "" {
			continue
		}
		words++
		if !a.MatchCase {
			word = strings.ToLower(word)
		}
		counts[word]++
	}
	top := 10
	if a.Top != nil {
		top = *a.Top
	}
	return Result{
		Lines:          lines(a.Text),
		Words:          words,
		DistinctWords:  len(counts),
		Characters:     utf8.RuneCountInString(a.Text),
		Bytes:          len(a.Text),
		ReadingSeconds: (words*60 + wordsPerMinute - 1) / wordsPerMinute,
		Top:            mostUsed(counts, top, a.MinLength),
	}, nil
}

// notInWord says where words end. Apostrophes and hyphens join the parts of one.
func notInWord(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) && r != '\'' && r != '’' && r != '-'
}

func lines(text string) int {
	n := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		n++
	}
	return n
}

// mostUsed lists at most n words, the most frequent first, equals in the order
// of their letters.
func mostUsed(counts map[string]int, n, minLength int) []WordCount {
	var all []WordCount
	for word, count := range counts {
		if utf8.RuneCountInString(word) >= minLength {
			all = append(all, WordCount{word, count})
		}
	}
	slices.SortFunc(all, func(a, b WordCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Word, b.Word))
	})
	return all[:min(n, len(all))]
}
