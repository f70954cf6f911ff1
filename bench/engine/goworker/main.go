// Command goworker is the worker of bench/engine for everything written in Go.
// The driver starts one per implementation and speaks lines with it:
//
//	goworker list            one line per implementation: name, label and flags
//	                         ("lossy", "onethread"), separated by tabs
//	goworker run NAME        reads commands, one a line, and answers each with one
//
//	load KEYS VALUEBYTES ZIPFFILE
//	                         ok base=B loaded=B rest=B ns=N
//	measure OP ARG OPS SEED  ok ops=N ns=N hits=N sum=N worst=N slow=N, or no
//	keys COUNT               ok sum=N: of the keys, see sumKeys
//	quit                     (ends, without an answer)
//
// An answer of "error TEXT" says that the command was not understood or failed.
// The Rust and the C++ worker speak the same; package workload says what is done.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ingot-run/ingot/bench/engine/workload"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 1 && args[0] == "list":
		for _, i := range implementations {
			fmt.Fprintf(stdout, "%s\t%s\t%s\n", i.name, i.fullLabel(), i.flags())
		}
		return 0
	case len(args) == 2 && args[0] == "run":
		impl, err := find(args[1])
		if err == nil {
			err = serve(impl, stdin, stdout)
		}
		if err != nil {
			fmt.Fprintln(stderr, "goworker:", err)
			return 1
		}
		return 0
	}
	fmt.Fprintln(stderr, "goworker: want list, or run NAME")
	return 2
}

// serve answers commands until quit or the end of the input.
func serve(impl implementation, stdin io.Reader, stdout io.Writer) error {
	var current *session
	lines := bufio.NewScanner(stdin)
	for lines.Scan() {
		if lines.Text() == "quit" {
			return nil
		}
		answer, err := command(impl, &current, lines.Text())
		if err != nil {
			answer = "error " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err := fmt.Fprintln(stdout, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func command(impl implementation, current **session, line string) (string, error) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "load":
		var size sizing
		var zipfPath string
		if _, err := fmt.Sscanf(rest, "%d %d %s", &size.keys, &size.valueBytes, &zipfPath); err != nil {
			return "", fmt.Errorf("load wants KEYS VALUEBYTES ZIPFFILE: %w", err)
		}
		b, err := load(impl, size, zipfPath)
		if err != nil {
			return "", err
		}
		*current = b
		return fmt.Sprintf("ok base=%d loaded=%d rest=%d ns=%d", b.base, b.loaded, b.rest, b.loadedTime), nil
	case "measure":
		if *current == nil {
			return "", errors.New("nothing is loaded")
		}
		return measureCommand(*current, rest)
	case "keys":
		var count int
		if _, err := fmt.Sscanf(rest, "%d", &count); err != nil {
			return "", fmt.Errorf("keys wants COUNT: %w", err)
		}
		return fmt.Sprintf("ok sum=%d", sumKeys(count)), nil
	}
	return "", fmt.Errorf("no command %q", word)
}

func measureCommand(b *session, rest string) (string, error) {
	var op string
	var arg, ops int
	var seed uint64
	if _, err := fmt.Sscanf(rest, "%s %d %d %d", &op, &arg, &ops, &seed); err != nil {
		return "", fmt.Errorf("measure wants OP ARG OPS SEED: %w", err)
	}
	t, ok, err := b.measure(op, arg, ops, seed)
	if err != nil {
		return "", err
	}
	if !ok {
		return "no", nil
	}
	return fmt.Sprintf("ok ops=%d ns=%d hits=%d sum=%d worst=%d slow=%d",
		t.ops, t.took, t.hits, t.sum, t.worst, t.slow), nil
}

// sumKeys folds everything that the generators make out of count indexes into one
// number: for each i the number is multiplied by the FNV-1a prime after each byte
// of key(i) was added, then draw(3, i, 1000003) and scatter(i, count, 5) are added,
// and at the end the sums of the value with stamp(key(count-1), 9).
func sumKeys(count int) uint64 {
	var sum uint64
	var key []byte
	for i := range uint64(count) {
		key = workload.AppendKey(key[:0], i)
		for _, c := range key {
			sum = (sum + uint64(c)) * 0x100000001b3
		}
		sum += workload.Draw(3, i, 1000003) + workload.Scatter(i, uint64(count), 5)
	}
	value := workload.NewValue(100)
	workload.SetStamp(value, workload.Stamp(string(key), workload.Mix(9)))
	return sum + workload.SumBorrowed(value) + workload.SumCopied(value) + uint64(value[50])
}
