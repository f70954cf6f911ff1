package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Compiler says why a program that compiles guests cannot be used here. Those of Rust
// have to have the standard library for wasm: rustup leaves a cargo in PATH that has
// no compiler behind it.
func Compiler(program string) error {
	if _, err := exec.LookPath(program); err != nil || program != "cargo" && program != "rustc" {
		return err
	}
	root, err := exec.Command("rustc", "--print", "sysroot").Output()
	if err != nil {
		return fmt.Errorf("rustc --print sysroot: %w", err)
	}
	_, err = os.Stat(filepath.Join(strings.TrimSpace(string(root)), "lib", "rustlib", "wasm32-unknown-unknown"))
	return err
}
