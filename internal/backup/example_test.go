package backup_test

import (
	"bytes"
	"fmt"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/internal/backup"
)

func Example() {
	store, err := engine.Open(engine.Options{})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	if _, err := store.Set("greeting", []byte("hello"), engine.SetOptions{}); err != nil {
		panic(err)
	}
	var file bytes.Buffer
	if _, err := backup.Write(&file, store, backup.Options{}); err != nil {
		panic(err)
	}
	info, err := backup.Check(&file, nil)
	fmt.Println(info.Full, info.Version, err)
	// Output: true 1 <nil>
}
