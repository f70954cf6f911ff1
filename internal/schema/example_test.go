package schema_test

import (
	"fmt"

	"github.com/ingot-run/ingot/internal/schema"
)

func Example() {
	s, err := schema.Compile([]byte(`{
		"type": "object",
		"properties": {"text": {"type": "string"}, "limit": {"type": "integer", "minimum": 1}},
		"required": ["text"],
		"additionalProperties": false
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Validate([]byte(`{"text":"hi"}`)))
	fmt.Println(s.Validate([]byte(`{"txet":"hi","limit":0}`)))
	// Output:
	// <nil>
	// argument "limit": must be at least 1, not 0; argument "text": is missing; argument "txet": is not known, did you mean "text"?
}
