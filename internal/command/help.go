package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// helpWidth is where paragraphs of a help are broken.
const helpWidth = 100

// printHelp is kong's help with what a command's Help method says at its end, where the
// examples are found again, and not between the summary and the flags.
func printHelp(o kong.HelpOptions, ctx *kong.Context) error {
	node := ctx.Selected()
	if node == nil {
		node = ctx.Model.Node
	}
	detail := node.Detail
	node.Detail = ""
	defer func() { node.Detail = detail }()
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil || detail == "" || o.Summary {
		return err
	}
	return writeParagraphs(ctx.Stdout, detail)
}

// writeParagraphs writes a text with its paragraphs broken at words; lines that are
// indented stay as they are.
func writeParagraphs(w io.Writer, text string) error {
	var out strings.Builder
	out.WriteByte('\n')
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			out.WriteString(strings.TrimRight(line, " ") + "\n")
			continue
		}
		column := 0
		for word := range strings.FieldsSeq(line) {
			switch {
			case column > 0 && column+1+len(word) > helpWidth:
				out.WriteByte('\n')
				column = 0
			case column > 0:
				out.WriteByte(' ')
				column++
			}
			out.WriteString(word)
			column += len(word)
		}
		out.WriteByte('\n')
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// Walk calls f with the names of each command of a grammar that is not hidden, the
// program's own (none) first, and with what its Help method says.
func Walk(grammar any, f func(names []string, node *kong.Node)) error {
	parser, err := kong.New(grammar, kong.Exit(func(int) {}))
	if err != nil {
		return fmt.Errorf("the grammar: %w", err)
	}
	var walk func(n *kong.Node, names []string)
	walk = func(n *kong.Node, names []string) {
		f(names, n)
		for _, below := range n.Children {
			if below.Type == kong.CommandNode && !below.Hidden {
				walk(below, append(names[:len(names):len(names)], below.Name))
			}
		}
	}
	walk(parser.Model.Node, nil)
	return nil
}
