package config

import (
	"strings"

	"github.com/ingot-run/ingot/internal/yamlfile"
)

// Pos is a place in a file.
type Pos = yamlfile.Pos

// Place is where an object of the file stands, and each of its values: At("command"),
// At("args[2]"), At("headers.Accept").
type Place = yamlfile.Place

// Problems are all that is wrong with a file and what it includes.
type Problems = yamlfile.Problems

// Secrets are texts that came from the environment, or that stand where secrets
// stand. The zero value has none.
type Secrets struct {
	values []string // the longest first
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
