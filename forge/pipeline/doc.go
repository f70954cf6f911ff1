// Package pipeline makes one tool of several: steps that call other tools, one after
// another or at once, and hand on what they answer.
//
// [New] makes the handler of a tool of the kind pipeline, [Expression] that of a tool
// whose answer is an expression.
//
//	lookup := func(name string) (mcp.Handler, bool) { h, ok := handlers[name]; return h, ok }
//	h, err := pipeline.New(tool, lookup, cfg.Secrets)
//	result, err := h(ctx, &mcp.CallRequest{Name: tool.Name, Arguments: []byte(`{"city":"Turin"}`)})
//
// The arguments of the pipeline, and the answers of its steps under their output_var,
// are the variables of templates and conditions. An answer's value is its structured
// content; without such content a text that is a JSON object or array is that value,
// another text a string. A step that was left out, or that failed where the policy is
// to continue, leaves its variable unset: null in expressions, nothing in templates.
//
// input stands for all arguments, and state for what the context's state holds, key by
// key: {{state.counter}} in templates, also state["user/" + name] in expressions. A
// parameter or a variable of one of these names hides it. Each step reads the state when
// it begins.
//
// Steps that run at once see the variables from before all of them. When one of them
// fails and its policy is not to continue, the others are cancelled and waited for.
//
// # Caveats
//
// What a step answers is data: {{ in it and expressions in it mean nothing.
//
// lookup is asked when a step runs, and must return handlers that check their
// arguments. Tools that run at once should not ask the client: which question is the
// first is not defined.
package pipeline
