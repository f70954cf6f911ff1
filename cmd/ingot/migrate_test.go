package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
)

// section is a part of a page of docs/, between one heading of the second level and the
// next.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	require.NoError(t, err)
	_, after, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	require.True(t, ok, "%s has no section %s", page, heading)
	inside, _, _ := strings.Cut(after, "\n## ")
	return inside
}

// rows are the cells of a table's rows, without its head.
func rows(t *testing.T, text string) (all [][]string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if inner, ok := strings.CutPrefix(strings.TrimSpace(line), "|"); ok && !strings.HasPrefix(inner, "--") {
			cells := strings.Split(strings.TrimSuffix(inner, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			all = append(all, cells)
		}
	}
	require.Greater(t, len(all), 1)
	return all[1:]
}

// What docs/MIGRATE-PFORGE.md says of files, keys and commands is so.
func TestMigrationPage(t *testing.T) {
	const page = "MIGRATE-PFORGE.md"
	t.Setenv("API_URL", "https://api.example.org")
	t.Run("blocks", func(t *testing.T) {
		for _, block := range blocks(t, page, "yaml") {
			_, err := config.Parse("forge.yaml", []byte(block), config.Options{})
			require.NoError(t, err, block)
		}
	})
	t.Run("the pipeline", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "forge.yaml")
		flow := blocks(t, page, "yaml")[2]
		require.Contains(t, flow, "name: flow")
		require.NoError(t, os.WriteFile(file, []byte(flow), 0o600))
		answers, _ := session(t, file, toolCall("flow", `{"n":3}`), toolCall("flow", `{"n":8}`))
		require.Contains(t, answers[1], `"structuredContent":{"value":12}`, "twice, since 6 is small")
		require.Contains(t, answers[2], `"structuredContent":{"value":16}`)
	})
	t.Run("examples", func(t *testing.T) {
		found := rows(t, section(t, page, "Examples"))
		require.Len(t, found, 7)
		for _, row := range found {
			_, err := config.Load(filepath.Join("..", "..", row[1]), config.Options{})
			require.NoError(t, err, row[0])
			require.FileExists(t, filepath.Join("..", "..", row[2], "forge.yaml"))
			require.FileExists(t, filepath.Join("..", "..", row[2], "README.md"))
		}
	})
	t.Run("keys", func(t *testing.T) {
		known, err := os.ReadFile(filepath.Join("..", "..", "docs", "CONFIG.md"))
		require.NoError(t, err)
		for _, row := range rows(t, section(t, page, "Keys")) {
			require.Regexp(t, `(?m)^\| .*`+regexp.QuoteMeta(row[0])+`.* \|`, string(known), "a key that CONFIG.md lacks")
		}
	})
	t.Run("commands", func(t *testing.T) {
		named := regexp.MustCompile("`ingot ([a-z]+)").FindAllStringSubmatch(section(t, page, "Commands"), -1)
		require.Greater(t, len(named), 7)
		for _, m := range named {
			code, stdout, stderr := runWith(t, m[1], "--help")
			require.Equal(t, command.ExitOK, code, "%s: %s", m[1], stderr)
			require.Contains(t, stdout, "Usage: ingot "+m[1])
		}
		for _, template := range projectTemplates {
			require.Contains(t, section(t, page, "Commands"), template.name)
		}
	})
	t.Run("functions", func(t *testing.T) {
		change := section(t, page, "What to change")
		for _, m := range regexp.MustCompile("`((?:ingot|state)::[a-z]+)`").FindAllStringSubmatch(change, -1) {
			file := filepath.Join(t.TempDir(), "forge.yaml")
			require.NoError(t, os.WriteFile(file, []byte("forge: {name: x}\ntools: [{type: native, name: f, handler: '"+m[1]+"'}]\n"), 0o600))
			answers, _ := session(t, file, `"method":"tools/list"`)
			require.Contains(t, answers[1], `"name":"f"`, m[1])
		}
	})
}
