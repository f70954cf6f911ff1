package main

import (
	"context"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/internal/sandbox"
)

type inspectCommand struct {
	policyFlags
	Path string `arg:"" help:"The module."`
}

// inspection is what inspect prints; its names are stable.
type inspection struct {
	File           string                `json:"file"`
	SHA256         string                `json:"sha256"`
	Bytes          int                   `json:"bytes"`
	ABI            string                `json:"abi"`
	Imports        []string              `json:"imports"`
	Functions      int                   `json:"functions"`
	CompileWork    uint64                `json:"compileWork"`
	MemoryBytesMin uint64                `json:"memoryBytesMin"`
	MemoryBytesMax uint64                `json:"memoryBytesMax,omitzero"`
	TableElements  uint64                `json:"tableElements"`
	NotResettable  string                `json:"notResettable,omitzero"`
	Tools          []sandbox.Description `json:"tools"`
	Methods        []string              `json:"methods"`
}

// run inspects one module.
func (c *inspectCommand) run(ctx context.Context, stdout io.Writer) error {
	host := sandbox.New(sandbox.Options{CacheDir: c.cacheDir()})
	defer host.Close(ctx)
	module, err := load(ctx, host, c.Path, c.policyFlags)
	if err != nil {
		return err
	}
	info := module.Info()
	found := inspection{
		File: info.File, SHA256: info.SHA256, Bytes: info.ModuleBytes, ABI: info.ABI, Functions: info.Functions, CompileWork: info.CompileWork,
		MemoryBytesMin: info.MemoryBytesMin, MemoryBytesMax: info.MemoryBytesMax, TableElements: info.TableElements,
		NotResettable: info.NotResettable, Tools: module.Tools(), Methods: module.Methods(),
	}
	for _, i := range info.Imports {
		found.Imports = append(found.Imports, i.Module+"."+i.Name)
	}
	text, err := json.Marshal(found, jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	_, err = stdout.Write(append(text, '\n'))
	return err
}
