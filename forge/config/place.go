package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a file. Line and Column count from 1; the zero value is none.
type Pos struct {
	File         string
	Line, Column int
}

// String is FILE:LINE:COLUMN.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Place is where an object of the file stands, and each of its values.
type Place struct {
	// Pos is where the object begins; the zero value when the file does not write it.
	Pos  Pos `json:"-"`
	keys []keyPos
}

type keyPos struct {
	key string
	pos Pos
}

// At is where the value of a key stands; where the object begins when it has no such
// key. An element of a list is asked for as "args[2]".
func (p *Place) At(key string) Pos {
	for _, k := range p.keys {
		if k.key == key {
			return k.pos
		}
	}
	return p.Pos
}

// Has says whether the file writes that key.
func (p *Place) Has(key string) bool {
	return slices.ContainsFunc(p.keys, func(k keyPos) bool { return k.key == key })
}

// Secrets are texts that came from the environment, or that stand where secrets
// stand. The zero value has none.
type Secrets struct {
	values []string // the longest first
}

// secretBytesMin is from which length on a text is kept out of logs; a shorter one
// could be a part of any word.
const secretBytesMin = 4

// newSecrets sorts the texts of a set.
func newSecrets(texts map[string]bool) (s Secrets) {
	for text := range texts {
		if len(text) >= secretBytesMin {
			s.values = append(s.values, text)
		}
	}
	slices.SortFunc(s.values, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	return s
}

// Redact replaces each secret in a text by "[secret]".
func (s Secrets) Redact(text string) string {
	for _, v := range s.values {
		text = strings.ReplaceAll(text, v, "[secret]")
	}
	return text
}

// Len is how many there are.
func (s Secrets) Len() int { return len(s.values) }
