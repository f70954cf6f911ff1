package config

import (
	"testing"

	"github.com/goccy/go-yaml/parser"
	"go.yaml.in/yaml/v3"
)

// BenchmarkParsers compares the two parsers on a thousand tools: docs/RATIONALE.md says
// which is used for what.
func BenchmarkParsers(b *testing.B) {
	text := manyTools(1000)
	b.Run("yaml.v3", func(b *testing.B) {
		for b.Loop() {
			var n yaml.Node
			if err := yaml.Unmarshal(text, &n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("goccy", func(b *testing.B) {
		for b.Loop() {
			if _, err := parser.ParseBytes(text, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}
