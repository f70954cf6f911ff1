package storage_test

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/ingot-run/ingot/engine/storage"
)

// A file appears under its name whole or not at all: it is written under another
// name, synced, closed and renamed, and then the directory is synced.
func ExampleDir() {
	path, err := os.MkdirTemp("", "storage")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(path)
	directory, err := storage.OpenDir(path)
	if err != nil {
		log.Fatal(err)
	}
	defer directory.Close()
	if err := publish(directory, "greeting", "hello"); err != nil {
		log.Fatal(err)
	}
	f, err := directory.Open("greeting")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, size))
	fmt.Println(string(text), err)
	// Output: hello <nil>
}

func publish(d storage.Dir, name, text string) error {
	f, err := d.Create(name + ".new")
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.Rename(name+".new", name); err != nil {
		return err
	}
	return d.Sync()
}
