package guest_test

import (
	"fmt"
	"strings"

	guest "github.com/ingot-run/ingot/guest/go"
)

type Args struct {
	Text string `json:"text" doc:"the text to shout" max:"1000"`
}

type Result struct {
	Upper string `json:"upper"`
}

// In a tool this stands in an init function of package main.
func Example() {
	guest.Register(guest.Tool{Name: "shout", Description: "Turns a text to upper case."},
		func(a Args) (Result, error) {
			if a.Text == "" {
				return Result{}, guest.Fail("nothing", "there is nothing to shout: give some text")
			}
			guest.Log(guest.LevelDebug, "shouting %d bytes", len(a.Text))
			return Result{strings.ToUpper(a.Text)}, nil
		})
	out, err := guest.Call([]byte(`{"text":"hello"}`))
	fmt.Println(string(out), err)
	_, err = guest.Call([]byte(`{"text":""}`))
	fmt.Println(err)
	// Output:
	// {"upper":"HELLO"} <nil>
	// there is nothing to shout: give some text
}
