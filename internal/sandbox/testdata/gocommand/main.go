// Command gocommand is a WASI command as any Go program is one: it reads JSON from
// stdin and prints JSON, and describes itself when it is asked to.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--describe" {
		fmt.Println(`{"name":"gocommand","description":"Turns a text to upper case.",
			"inputSchema":{"type":"object","properties":{"text":{"type":"string"}}},
			"outputSchema":{"type":"object","properties":{"upper":{"type":"string"}},"required":["upper"]}}`)
		return
	}
	var args struct{ Text string }
	if err := json.NewDecoder(os.Stdin).Decode(&args); err != nil {
		fmt.Fprintln(os.Stderr, "the arguments are no JSON:", err)
		os.Exit(3)
	}
	switch args.Text {
	case "":
		fmt.Fprintln(os.Stderr, "there is nothing to shout: give some text")
		os.Exit(1)
	case "plainly":
		fmt.Println("no JSON")
	case "panic":
		panic("on request")
	default:
		_ = json.NewEncoder(os.Stdout).Encode(map[string]string{"upper": strings.ToUpper(args.Text)})
	}
}
