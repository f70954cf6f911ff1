package forge_test

import "fmt"

// paramEffects are those of parameters in the schema that clients see, and of what a
// call is held to.
func paramEffects() (all []effect) {
	for _, c := range []struct{ key, param, arguments, shown string }{
		{"type", `type: integer`, `{"p":"x"}`, `must be integer, not string`},
		{"required", `type: string, required: true`, `{}`, `is missing`},
		{"default", `type: string, default: by itself`, `{}`, `"structuredContent":{"p":"by itself"}`},
		{"enum", `type: string, enum: [one, two]`, `{"p":"three"}`, `one`},
		{"items", `type: array, items: integer`, `{"p":["x"]}`, `"isError":true`},
		{"properties", `type: object, properties: {q: integer}`, `{"p":{"q":"x"}}`, `"isError":true`},
		{"validation", `type: integer, validation: {minimum: 3}`, `{"p":2}`, `"isError":true`},
		{"min", `type: integer, min: 3`, `{"p":2}`, `"isError":true`},
		{"minimum", `type: integer, minimum: 3`, `{"p":2}`, `"isError":true`},
		{"max", `type: integer, max: 3`, `{"p":4}`, `"isError":true`},
		{"maximum", `type: integer, maximum: 3`, `{"p":4}`, `"isError":true`},
		{"min_length", `type: string, min_length: 2`, `{"p":"x"}`, `"isError":true`},
		{"max_length", `type: string, max_length: 2`, `{"p":"xxx"}`, `"isError":true`},
		{"pattern", `type: string, pattern: "^a+$"`, `{"p":"b"}`, `"isError":true`},
	} {
		const tool = `tools: [{type: native, name: a, handler: "ingot::echo", params: %s}]`
		all = append(all,
			effect{file: fmt.Sprintf(tool, "{p: {"+c.param+"}}"), see: calls("a", c.arguments), shows: map[string]string{"param." + c.key: c.shown}},
			effect{file: fmt.Sprintf(tool, "[{name: p, "+c.param+"}]"), see: calls("a", c.arguments), shows: map[string]string{"listed_param." + c.key: c.shown}},
		)
		switch c.key {
		case "min", "minimum", "max", "maximum":
			all = append(all, effect{file: fmt.Sprintf(tool, "{p: {type: integer, validation: {"+c.param[len("type: integer, "):]+"}}}"), see: calls("a", c.arguments), shows: map[string]string{"param_validation." + c.key: c.shown}})
		case "min_length", "max_length", "pattern":
			all = append(all, effect{file: fmt.Sprintf(tool, "{p: {type: string, validation: {"+c.param[len("type: string, "):]+"}}}"), see: calls("a", c.arguments), shows: map[string]string{"param_validation." + c.key: c.shown}})
		}
	}
	return append(all,
		effect{
			file: `tools: [{type: native, name: a, handler: "ingot::echo", params: {p: {type: string, description: What it is}}}]`, see: tools,
			shows: map[string]string{"param.description": `"description":"What it is"`},
		},
		effect{
			file: `tools: [{type: native, name: a, handler: "ingot::echo", params: [{name: p, title: The title, type: string, description: What it is}]}]`, see: tools,
			shows: map[string]string{"listed_param.description": `"description":"What it is"`, "listed_param.name": `"p":{`, "listed_param.title": `"title":"The title"`},
		},
	)
}
