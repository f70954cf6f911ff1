package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/mcpclient"
)

// pages is text for people, a line at a time. What is shown may be a stranger's words.
type pages struct {
	out    *bufio.Writer
	colors command.Colors
}

func newPages(w io.Writer, colors command.Colors) *pages {
	return &pages{bufio.NewWriter(w), colors}
}

func (p *pages) heading(format string, args ...any) {
	fmt.Fprintf(p.out, "\n%s\n", p.colors.Bold(command.PlainLine(fmt.Sprintf(format, args...))))
}

// line writes a line at a depth; nothing for an empty text.
func (p *pages) line(depth int, format string, args ...any) {
	if text := command.PlainLine(fmt.Sprintf(format, args...)); text != "" {
		fmt.Fprintf(p.out, "%s%s\n", strings.Repeat("  ", depth), text)
	}
}

// write shows a file.
func (f *inspectedFile) write(w io.Writer, colors command.Colors) error {
	p := newPages(w, colors)
	fmt.Fprintln(p.out, p.colors.Bold(command.PlainLine(f.Name+" "+f.Version)))
	p.line(1, "%s", f.Description)
	p.line(1, "transport  %s", strings.TrimSpace(f.Transport+" "+f.Address))
	p.line(1, "state      %s", f.State.text())
	for i := range f.Access {
		p.line(1, "role       %s", f.Access[i].text())
	}
	if f.Audit != "" {
		p.line(1, "audit      %s", f.Audit)
	}
	for i, name := range f.Files {
		p.line(1, "%-10s %s", []string{"files", ""}[min(i, 1)], name)
	}
	if f.Tests > 0 {
		p.line(1, "tests      %d in the file", f.Tests)
	}
	p.tools(f.Tools)
	for _, m := range f.Modules {
		p.heading("module %s", m.Module)
		p.line(1, "sha256 %s", m.SHA256)
		p.line(1, "tools  %s", strings.Join(m.Tools, ", "))
		p.line(1, "it may, in each call")
		for _, what := range m.May {
			p.line(2, "%s", what)
		}
		p.line(1, "it may not")
		for _, what := range m.MayNot {
			p.line(2, "%s", what)
		}
	}
	p.items(f.Resources)
	p.prompts(f.Prompts)
	return p.out.Flush()
}

func (s *inspectedState) text() string {
	text := s.Backend
	for _, part := range []struct{ name, value string }{{"in", s.Path}, {"sync", s.Sync}, {"entries live", s.TTL}} {
		if part.value != "" {
			text += ", " + part.name + " " + part.value
		}
	}
	if s.BytesMax > 0 {
		text += fmt.Sprintf(", at most %d bytes", s.BytesMax)
	}
	return text
}

// write shows a running server.
func (s *inspectedServer) write(w io.Writer, colors command.Colors) error {
	p := newPages(w, colors)
	fmt.Fprintln(p.out, p.colors.Bold(command.PlainLine(s.Server.Name+" "+s.Server.Version)))
	p.line(1, "%s", s.Server.Title)
	p.line(1, "%s", s.Server.Instructions)
	p.line(1, "address    %s", s.URL)
	p.line(1, "protocol   %s", s.Server.Protocol)
	if s.UptimeSeconds > 0 {
		p.line(1, "up for     %v", time.Duration(s.UptimeSeconds)*time.Second)
	}
	if s.State != nil {
		p.line(1, "state      %s, %d keys, %d bytes, %d watchers", s.State.Backend, s.State.Keys, s.State.Bytes, s.State.Watchers)
	}
	if s.Status != "running" {
		p.line(1, "%s", s.Status)
	}
	p.standing(1, s.Shared)
	p.tools(s.Tools)
	for _, m := range s.Modules {
		p.heading("module %s", m.Name)
		p.line(1, "%d calls, %d running, %d queued, %d instances (%d idle), %d discarded", m.Calls, m.Running, m.Queued, m.Instances, m.Idle, m.Discarded)
	}
	p.items(s.Resources)
	p.prompts(s.Prompts)
	return p.out.Flush()
}

// tools shows tools.
func (p *pages) tools(all []inspectedTool) {
	for i := range all {
		t := &all[i]
		kind := ""
		if t.Kind != "" {
			kind = " (" + t.Kind + ")"
		}
		p.heading("tool %s%s", t.Name, kind)
		p.line(1, "%s", t.Description)
		p.line(1, "%s", strings.TrimSpace(t.Runs+suffix("  ", t.Where)))
		for _, a := range t.Params {
			p.line(1, "%s", a.text())
		}
		if c := t.Calls; c != nil && c.Ended+c.InFlight > 0 {
			p.line(1, "calls: %d%s, %d in flight, mean %.3g ms, 99 of 100 within %.3g ms", c.Ended, errorCounts(c.Errors), c.InFlight, c.MeanMillis, c.P99Millis)
		}
		p.standing(1, t.Standing)
		if len(t.Middleware) > 0 {
			p.line(1, "around it, from the outside in")
		}
		for n, layer := range t.Middleware {
			p.line(2, "%d. %s  (%s, %s)", n+1, layer.Type, layer.From, layer.Where)
			for _, s := range layer.Numbers {
				p.line(3, "  %s: %s%s", s.Key, s.Value, map[bool]string{true: "  (default)"}[s.Default])
			}
		}
	}
}

func suffix(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// text is a parameter in a line: "days  integer, required, at least 1: How many."
func (a *inspectedParam) text() string {
	parts := []string{a.Type}
	if a.Type == "" {
		parts[0] = "anything"
	}
	if a.Required {
		parts = append(parts, "required")
	}
	if len(a.Default) > 0 {
		parts = append(parts, "default "+string(a.Default))
	}
	if a.Limits != "" {
		parts = append(parts, a.Limits)
	}
	return fmt.Sprintf("- %s  %s%s", a.Name, strings.Join(parts, ", "), suffix(": ", a.Description))
}

func errorCounts(counts map[string]uint64) string {
	var all []string
	for _, class := range slices.Sorted(maps.Keys(counts)) {
		if counts[class] > 0 {
			all = append(all, fmt.Sprintf("%d %s", counts[class], class))
		}
	}
	return suffix(" of which failed ", strings.Join(all, ", "))
}

// standing shows how middleware stands.
func (p *pages) standing(depth int, all []standing) {
	for _, m := range all {
		var parts []string
		switch {
		case m.Status == "open":
			parts = append(parts, p.colors.Red(m.Status))
		case m.Status != "":
			parts = append(parts, command.PlainLine(m.Status))
		}
		for _, name := range slices.Sorted(maps.Keys(m.Counts)) {
			parts = append(parts, command.PlainLine(fmt.Sprintf("%s %d", name, m.Counts[name])))
		}
		if m.Tracked > 0 {
			parts = append(parts, fmt.Sprintf("%d errors kept", m.Tracked))
		}
		fmt.Fprintf(p.out, "%s%s: %s\n", strings.Repeat("  ", depth), command.PlainLine(m.Type), strings.Join(parts, ", "))
	}
}

// items shows resources.
func (p *pages) items(all []inspectedItem) {
	if len(all) > 0 {
		p.heading("resources")
	}
	for _, r := range all {
		p.line(1, "%s%s%s%s", r.URI, suffix("  ", r.MIMEType), suffix("  ", strings.Join(r.Operations, ", ")), suffix("  ", r.From))
		p.line(2, "%s", r.Description)
	}
}

// prompts shows prompts.
func (p *pages) prompts(all []mcpclient.Prompt) {
	if len(all) > 0 {
		p.heading("prompts")
	}
	for _, one := range all {
		var arguments []string
		for _, a := range one.Arguments {
			name := a.Name
			if !a.Required {
				name = "[" + name + "]"
			}
			arguments = append(arguments, name)
		}
		p.line(1, "%s %s%s", one.Name, strings.Join(arguments, " "), suffix("  ", one.Description))
	}
}
