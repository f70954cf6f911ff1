// Command gofiles uses a granted folder as any Go program uses files: a WASI
// command that reads /data, works in /work, tries to get out, and prints what came
// of it as JSON.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	if len(os.Args) == 2 {
		fmt.Println(`{"name":"gofiles","description":"Uses files.","inputSchema":{"type":"object"}}`)
		return
	}
	out := map[string]any{}
	note := func(what string, err error) {
		switch {
		case err == nil:
			out[what] = "ok"
		case errors.Is(err, fs.ErrPermission):
			out[what] = "permission"
		case errors.Is(err, fs.ErrNotExist):
			out[what] = "not there"
		default:
			out[what] = err.Error()
		}
	}
	read, err := os.ReadFile("/data/ok.txt")
	note("read", err)
	out["content"] = string(read)
	note("make folders", os.MkdirAll("/work/a/b/c", 0o755))
	note("write", os.WriteFile("/work/a/b/c/new.txt", []byte("written"), 0o644))
	note("rename", os.Rename("/work/a/b/c/new.txt", "/work/a/moved.txt"))
	f, err := os.OpenFile("/work/a/moved.txt", os.O_APPEND|os.O_WRONLY, 0)
	note("open to append", err)
	_, err = f.WriteString(" twice")
	note("append", err)
	note("sync", f.Sync())
	note("close", f.Close())
	appended, err := os.ReadFile("/work/a/moved.txt")
	note("read again", err)
	out["appended"] = string(appended)
	var names []string
	note("walk", filepath.WalkDir("/work", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	}))
	out["has moved"] = slices.Contains(names, "/work/a/moved.txt")
	note("remove all", os.RemoveAll("/work/a"))
	_, err = os.Stat("/work/a")
	note("stat of what is gone", err)

	_, err = os.ReadFile("/data/link_rel")
	note("read through a link", err)
	_, err = os.ReadFile("/data/../outside/secret.txt")
	note("read outside", err)
	_, err = os.ReadFile("/etc/passwd")
	note("read elsewhere", err)
	note("write to what is read only", os.WriteFile("/data/new.txt", nil, 0o644))
	note("make a link out", os.Symlink("/etc/passwd", "/work/mine"))
	root, err := os.OpenRoot("/work")
	note("a root of its own", err)
	if err == nil {
		_, err = root.ReadFile("ok.txt")
		note("read in it", err)
		root.Close()
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		os.Exit(1)
	}
}
