// Command goecho is a tool in Go that answers its arguments, which it decodes and
// encodes again as many times as it is told.
package main

import (
	"encoding/json"

	guest "github.com/ingot-run/ingot/guest/go"
)

// Message is what goes in and comes out.
type Message struct {
	Text  string `json:"text" doc:"any text"`
	Times int    `json:"times,omitempty" doc:"how often to decode and encode it"`
}

func init() {
	guest.Register(guest.Tool{Name: "goecho", Description: "Answers its arguments."}, echo)
}

func main() {}

func echo(m Message) (Message, error) {
	for range m.Times {
		raw, err := json.Marshal(m)
		if err != nil {
			return m, err
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			return m, err
		}
	}
	return m, nil
}
