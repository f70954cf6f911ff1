package web

import (
	"flag"
	"os"
	"testing"

	"github.com/ingot-run/ingot/engine"
)

var snapshotFile = flag.String("snapshot", "", "`file` that the page in a browser has saved")

// What the page's Local view saves opens in the native engine. test/local.test.mjs runs
// this over a file that Chromium downloaded.
func TestSnapshotOfThePage(t *testing.T) {
	if *snapshotFile == "" {
		t.Skip("run by test/local.test.mjs, which has a browser make the file")
	}
	file, err := os.Open(*snapshotFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	store, err := engine.Open(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Restore(file); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"from:chromium": "yes", "bytes": "\xff\x00"} {
		if got, err := store.Get(key); err != nil || string(got.Value) != want {
			t.Errorf("%s is %q (%v), want %q", key, got.Value, err, want)
		}
	}
}
