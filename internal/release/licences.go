package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// allowed are the licences, by their SPDX ids, that what is linked in may have: they ask
// for no more than that their text is handed on, which notices does.
var allowed = []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Apache-2.0"}

// linkedModule is a module of which a program has packages in it.
type linkedModule struct {
	Path, Version, Dir string
	licence            string // SPDX id
	texts              []packed
}

// modules are those that packages are linked from for a target, with Go itself, whose
// standard library they have in them.
func modules(ctx context.Context, root string, env, packages []string) ([]linkedModule, error) {
	out, err := goRun(ctx, root, env, append([]string{"list", "-deps", "-json=Module,Standard"}, packages...)...)
	if err != nil {
		return nil, err
	}
	found := map[string]linkedModule{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ Module *linkedModule }
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if p.Module != nil && p.Module.Path != module {
			found[p.Module.Path] = *p.Module
		}
	}
	goEnv, err := goRun(ctx, root, env, "env", "GOVERSION", "GOROOT")
	if err != nil {
		return nil, err
	}
	version, goRoot, _ := strings.Cut(strings.TrimSpace(string(goEnv)), "\n")
	found["std"] = linkedModule{Path: "std", Version: strings.TrimPrefix(version, "go"), Dir: goRoot}
	var all []linkedModule
	for _, m := range found {
		if err := m.read(); err != nil {
			return nil, fmt.Errorf("%s %s: %w", m.Path, m.Version, err)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b linkedModule) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|authors)([.-].*)?$`)

// read reads a module's licence, and what else is to be handed on with it.
func (m *linkedModule) read() error {
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return fmt.Errorf("%w: go mod download fetches it", err)
	}
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return err
		}
		m.texts = append(m.texts, packed{name: e.Name(), data: text})
		if id := identify(string(text)); m.licence == "" && id != "" {
			m.licence = id
		}
	}
	switch {
	case m.licence == "":
		return errors.New("no licence is found that is known here: look at it, and add to licences.go how it is told")
	case !slices.Contains(allowed, m.licence):
		return fmt.Errorf("its licence %s is not among those that may be linked in: %s", m.licence, strings.Join(allowed, ", "))
	}
	return nil
}

// marks are words that a licence has and the ones below do not.
var marks = []struct {
	id    string
	words []string
}{
	{"AGPL-3.0", []string{"gnu affero general public license"}},
	{"LGPL", []string{"gnu lesser general public license"}},
	{"GPL", []string{"gnu general public license"}},
	{"MPL-2.0", []string{"mozilla public license"}},
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"MIT", []string{"permission is hereby granted, free of charge", "the above copyright notice and this permission notice"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "neither the name"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "may not be used to endorse"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software for any purpose"}},
	{"ISC", []string{"permission to use, copy, modify, and distribute this software for any purpose"}},
}

// identify returns the SPDX id of a licence's text; empty: not known.
func identify(text string) string {
	plain := strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, m := range marks {
		if !slices.ContainsFunc(m.words, func(w string) bool { return !strings.Contains(plain, w) }) {
			return m.id
		}
	}
	return ""
}

// notices is the text of all licences.
func notices(linked []linkedModule) []byte {
	var b bytes.Buffer
	b.WriteString("These are linked into the programs. Their licences ask for these texts to go with them.\n")
	for _, m := range linked {
		fmt.Fprintf(&b, "\n%s\n%s %s (%s)\n", strings.Repeat("=", 78), m.Path, m.Version, m.licence)
		for _, t := range m.texts {
			fmt.Fprintf(&b, "\n--- %s\n\n%s\n", t.name, bytes.TrimSpace(t.data))
		}
	}
	return b.Bytes()
}

// The part of CycloneDX 1.5 that says what is in a program: https://cyclonedx.org/docs/1.5/json/
type bill struct {
	Format      string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    metadata    `json:"metadata"`
	Components  []component `json:"components"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type     string          `json:"type"`
	Ref      string          `json:"bom-ref"`
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	PURL     string          `json:"purl"`
	Licences []licenceChoice `json:"licenses,omitempty"`
}

type licenceChoice struct {
	Licence struct {
		ID string `json:"id"`
	} `json:"license"`
}

func componentOf(kind, path, version, licence, qualifiers string) component {
	purl := "pkg:golang/" + path + "@" + version + qualifiers
	c := component{Type: kind, Ref: purl, Name: path, Version: version, PURL: purl, Licences: make([]licenceChoice, 1)}
	c.Licences[0].Licence.ID = licence
	return c
}

// sbom is the bill of materials of a target's programs.
func sbom(version, target string, at time.Time, linked []linkedModule) ([]byte, error) {
	goos, goarch, _ := strings.Cut(target, "/")
	b := bill{Format: "CycloneDX", SpecVersion: "1.5", Version: 1, Metadata: metadata{
		Timestamp: at.Format(time.RFC3339), Component: componentOf("application", module, version, "MIT", "?goarch="+goarch+"&goos="+goos),
	}}
	for _, m := range linked {
		b.Components = append(b.Components, componentOf("library", m.Path, m.Version, m.licence, ""))
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(b)
	return out.Bytes(), err
}
