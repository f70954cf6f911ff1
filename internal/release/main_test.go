package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// copied is a copy of the sources in a folder of its own.
func copied(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if below != "." && (slices.Contains([]string{"node_modules", "bin", "bench", "conformance", "examples"}, d.Name()) || strings.HasPrefix(d.Name(), ".")) {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, below), 0o755)
		}
		if !d.Type().IsRegular() || strings.HasSuffix(d.Name(), "_test.go") {
			return nil
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another test's, gone since
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, below), data, 0o644)
	})
	require.NoError(t, err)
	return to
}

// made runs the command on a copy of the sources, and returns its archive's bytes.
func made(t *testing.T, target, name string) []byte {
	t.Helper()
	out := t.TempDir()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-version", "v1.2.3-test", "-root", copied(t), "-out", out, "-targets", target}, &stdout, &stderr)
	require.Zero(t, code, stderr.String())
	data, err := os.ReadFile(filepath.Join(out, name))
	require.NoError(t, err)
	sums, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%x  %s\n", sha256.Sum256(data), name), string(sums))
	return data
}

// One target built twice, in different folders at different times, is the same bytes; and
// what is in it runs.
func TestReleaseIsReproducible(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1780000000")
	all := programs
	programs = []string{"ingot"} // linking takes long, and the others' is the same
	defer func() { programs = all }()
	target := runtime.GOOS + "/" + runtime.GOARCH
	if !slices.Contains(targets, target) || runtime.GOOS == "windows" {
		t.Skipf("no archive that tar unpacks is made for %s", target)
	}
	folder := "ingot-v1.2.3-test-" + runtime.GOOS + "-" + runtime.GOARCH
	first := made(t, target, folder+".tar.gz")
	t.Setenv("TZ", "Asia/Tokyo")
	second := made(t, target, folder+".tar.gz")
	require.Equal(t, sha256.Sum256(first), sha256.Sum256(second), "the archives differ")

	to := t.TempDir()
	unzipped, err := gzip.NewReader(bytes.NewReader(first))
	require.NoError(t, err)
	var names []string
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, [3]int{0, 0, 1780000000}, [3]int{h.Uid, h.Gid, int(h.ModTime.Unix())})
		names = append(names, strings.TrimPrefix(h.Name, folder+"/"))
		data, err := io.ReadAll(archive)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, filepath.Base(h.Name)), data, fs.FileMode(h.Mode)))
	}
	require.Equal(t, []string{"LICENSE", "README.md", "THIRD_PARTY_NOTICES.txt", "ingot", "sbom.cdx.json"}, names)
	out, err := exec.Command(filepath.Join(to, "ingot"), "version").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "v1.2.3-test")
	checkBill(t, filepath.Join(to, "sbom.cdx.json"), filepath.Join(to, "ingot"))
}

// checkBill compares the bill of materials with what the program says of itself.
func checkBill(t *testing.T, path, program string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var b bill
	require.NoError(t, json.Unmarshal(text, &b))
	listed := map[string]string{}
	for _, c := range b.Components {
		listed[c.Name] = c.Version
		require.NotEmpty(t, c.Licences[0].Licence.ID)
	}
	out, err := exec.Command("go", "version", "-m", program).Output()
	require.NoError(t, err)
	linked := 0
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "dep" {
			linked++
			require.Equal(t, f[2], listed[f[1]], f[1])
		}
	}
	require.Greater(t, linked, 5)
	require.Equal(t, strings.TrimPrefix(runtime.Version(), "go"), listed["std"])
}

// Every module that is linked into a program, for every system, has a licence of the list.
func TestLicences(t *testing.T) {
	for _, goos := range []string{"linux", "windows", "darwin", "freebsd"} {
		linked, err := modules(t.Context(), filepath.Join("..", ".."), append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0"), []string{"./cmd/..."})
		require.NoError(t, err)
		require.Greater(t, len(linked), 10)
		text := string(notices(linked))
		for _, m := range linked {
			require.Contains(t, text, m.Path+" "+m.Version)
			require.NotEmpty(t, m.texts)
		}
	}
}

func TestIdentify(t *testing.T) {
	for text, want := range map[string]string{
		"MIT License\nPermission is hereby granted, free of\ncharge … The above copyright notice and this permission notice": "MIT",
		"Redistribution and use in source and binary forms":                                                                  "BSD-2-Clause",
		"Redistribution and use in source and binary forms … Neither the name of":                                            "BSD-3-Clause",
		"GNU AFFERO GENERAL PUBLIC LICENSE":                                                                                  "AGPL-3.0",
		"                    GNU GENERAL PUBLIC LICENSE\n Version 3":                                                         "GPL",
		"Mozilla Public License Version 2.0":                                                                                 "MPL-2.0",
		"Apache License\n Version 2.0, January 2004":                                                                         "Apache-2.0",
		"All rights reserved.":                                                                                               "",
		"Permission to use, copy, modify, and/or distribute this software for any purpose with or":                           "ISC",
	} {
		require.Equal(t, want, identify(text), text)
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "COPYING"), []byte("GNU General Public License"), 0o600))
	m := linkedModule{Path: "x", Dir: dir}
	require.ErrorContains(t, m.read(), "GPL is not among")
}

func TestZip(t *testing.T) {
	var one, two bytes.Buffer
	files := []packed{{"LICENSE", []byte("text"), false}, {"ingot.exe", []byte("MZ"), true}}
	at := time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
	require.NoError(t, writeZip(&one, "f", files, at))
	require.NoError(t, writeZip(&two, "f", files, at))
	require.Equal(t, one.Bytes(), two.Bytes())
	r, err := zip.NewReader(bytes.NewReader(one.Bytes()), int64(one.Len()))
	require.NoError(t, err)
	require.Equal(t, "f/ingot.exe", r.File[1].Name)
	require.Equal(t, fs.FileMode(0o755), r.File[1].Mode().Perm())
}

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{{}, {"-version", "1.2"}, {"-version", "v1.2.3", "-targets", "plan9/mips"}, {"-nonsense"}} {
		require.Equal(t, 2, run(t.Context(), args, io.Discard, io.Discard), args)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	require.Equal(t, 1, run(t.Context(), []string{"-version", "v1.2.3", "-out", t.TempDir()}, io.Discard, io.Discard))
}
