package command

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// Terminal says whether w is a terminal, which a person looks at.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Colors paint texts for a terminal. The zero value leaves them as they are.
type Colors struct{ on bool }

// ColorsFor are those of w: some on a terminal that has colours, unless the environment
// has a NO_COLOR (no-color.org).
func ColorsFor(w io.Writer) Colors {
	return Colors{os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && Terminal(w)}
}

// Red is for what failed or is gone.
func (c Colors) Red(s string) string { return c.paint("31", s) }

// Green is for what succeeded or is new.
func (c Colors) Green(s string) string { return c.paint("32", s) }

// Bold is for headings.
func (c Colors) Bold(s string) string { return c.paint("1", s) }

// Dim is for what stands beside the matter.
func (c Colors) Dim(s string) string { return c.paint("2", s) }

func (c Colors) paint(code, s string) string {
	if !c.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Plain is a text of a stranger for a terminal: what could steer it is shown as a
// question mark, but for line ends and tabs.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) || r == '\u00a0' || r == '\u200d' {
			return r
		}
		return '?'
	}, s)
}

// PlainLine is Plain for a text that has to stay on its line.
func PlainLine(s string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(Plain(s))
}

// Live is a line on stderr that is written again and again where that is a terminal, and
// a line for each time where it is not.
type Live struct {
	out      io.Writer
	terminal bool
	shown    bool
}

// NewLive makes one on w.
func NewLive(w io.Writer) *Live { return &Live{out: w, terminal: Terminal(w)} }

// Show shows a line in place of the one before. Errors of a terminal have nobody who
// could be told.
func (l *Live) Show(text string) {
	text = PlainLine(text)
	if !l.terminal {
		_, _ = io.WriteString(l.out, text+"\n")
		return
	}
	if width, _, err := term.GetSize(fd(l.out)); err == nil && width > 1 {
		if runes := []rune(text); len(runes) >= width {
			text = string(runes[:width-1])
		}
	}
	_, _ = io.WriteString(l.out, "\r\x1b[K"+text)
	l.shown = true
}

// Line shows a line that stays.
func (l *Live) Line(text string) {
	l.Clear()
	_, _ = io.WriteString(l.out, PlainLine(text)+"\n")
}

// Clear takes the line away, before something else is written.
func (l *Live) Clear() {
	if l.shown {
		_, _ = io.WriteString(l.out, "\r\x1b[K")
		l.shown = false
	}
}

// Terminal says whether lines take each other's place.
func (l *Live) Terminal() bool { return l.terminal }

func fd(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		return int(f.Fd())
	}
	return -1
}
