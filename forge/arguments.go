package forge

import (
	"context"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/internal/schema"
	"github.com/ingot-run/ingot/mcp"
)

// checked fills in the defaults of the parameters, holds the arguments to the tool's
// schema before h is called, by clients as by pipelines, and what it answers to the
// schema of its results.
func checked(t *config.Tool, h mcp.Handler) (mcp.Handler, error) {
	// The loader has seen that the parameters make a schema. It is compiled when the
	// first call needs it: for a thousand tools at once that takes as long as all the
	// rest of opening a file.
	input := sync.OnceValues(func() (*schema.Schema, error) { return compiled(t.InputSchema) })
	output, err := compiled(t.OutputSchema)
	if err != nil {
		return nil, err
	}
	defaults := hasDefaults(t.Params)
	return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		if defaults {
			filled, err := fill(t.Params, r.Arguments)
			if err != nil {
				return nil, fault.Because(err, fault.InvalidInput, "%v", err)
			}
			r.Arguments = filled
		}
		in, err := input()
		if err != nil {
			return nil, fault.Because(err, fault.Internal, "the parameters of %s make no schema: %v", t.Name, err)
		}
		if in != nil {
			if err := in.Validate(r.Arguments); err != nil {
				return nil, fault.Because(err, fault.InvalidInput, "%v", err)
			}
		}
		result, err := h(ctx, r)
		if err == nil && output != nil && result != nil && !result.IsError {
			if err := output.Validate(result.Structured); err != nil {
				return nil, fault.Because(err, fault.Failed, "the tool %s answered what its output schema does not allow: %v", t.Name, err)
			}
		}
		return result, err
	}, nil
}

// compiled compiles a schema; none is nil.
func compiled(source []byte) (*schema.Schema, error) {
	if len(source) == 0 {
		return nil, nil
	}
	return schema.Compile(source)
}

// hasDefaults says whether there is anything to fill in.
func hasDefaults(params []config.Param) bool {
	for _, p := range params {
		if len(p.Default) > 0 || hasDefaults(p.Properties) {
			return true
		}
	}
	return false
}

// fill adds the defaults of parameters that are absent to a JSON object, also to
// objects inside of it. Arguments that lack nothing come back as they are.
func fill(params []config.Param, object []byte) ([]byte, error) {
	var values map[string]jsontext.Value
	if err := json.Unmarshal(object, &values); err != nil {
		return nil, err
	}
	changed := false
	for _, p := range params {
		value, given := values[p.Name]
		switch {
		case !given && len(p.Default) > 0:
			values[p.Name], changed = jsontext.Value(p.Default), true
		case given && value.Kind() == '{' && hasDefaults(p.Properties):
			inner, err := fill(p.Properties, value)
			if err != nil {
				return nil, err
			}
			values[p.Name], changed = inner, true
		}
	}
	if !changed {
		return object, nil
	}
	return json.Marshal(values, json.Deterministic(true))
}
