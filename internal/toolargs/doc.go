// Package toolargs makes the arguments of a tool from key=value as people write them on
// a command line, by the JSON Schema of the tool's input.
//
// The main function is [Parse]:
//
//	schema := []byte(`{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},"tags":{"type":"array","items":{"type":"string"}}}}`)
//	args, err := toolargs.Parse(schema, nil, []string{"city=Oslo", "days=3", "tags=a,b"})
//	// {"city":"Oslo","days":3,"tags":["a","b"]}
//
// A member of an object is written a.b=1, an array as a,b or as JSON, or by giving its
// key again. A text is taken as it is, whatever it looks like.
//
// # Caveats
//
//   - Of a schema it knows type, properties, additionalProperties, items, required, enum,
//     anyOf, oneOf, allOf and references within it. The rest is the server's to check.
//   - A comma in an element of an array needs JSON, as tags='["a,b"]'.
package toolargs
