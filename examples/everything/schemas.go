package main

import (
	"context"
	"fmt"

	"github.com/ingot-run/ingot/mcp"
)

// wideSchema uses keywords of JSON Schema 2020-12 beyond properties: they have
// to reach the client as they are (SEP-1613, SEP-2106).
const wideSchema = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"$defs": {"address": {"$anchor": "addressDef", "type": "object",
		"properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
	"properties": {
		"name": {"type": "string"},
		"address": {"$ref": "#/$defs/address"},
		"contactMethod": {"type": "string", "enum": ["phone", "email"]},
		"phone": {"type": "string"},
		"email": {"type": "string"}
	},
	"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
	"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
	"then": {"required": ["phone"]},
	"else": {"required": ["email"]},
	"additionalProperties": false
}`

// headerSchema has arguments that clients over HTTP repeat in headers, for
// whatever routes by them (SEP-2243).
const headerSchema = `{"type": "object", "required": ["region"], "properties": {
	"region": {"type": "string", "x-mcp-header": "Region", "description": "Repeated in the header Mcp-Param-Region."},
	"priority": {"type": "integer", "x-mcp-header": "Priority", "description": "Repeated in the header Mcp-Param-Priority."},
	"query": {"type": "string", "description": "In the body only."}
}}`

// addSchemas adds the tools that are there for their schemas.
func addSchemas(server *mcp.Server) {
	answer := func(_ context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.TextResult(fmt.Sprintf("%s was called with %s", req.Name, req.Arguments)), nil
	}
	server.AddTool(mcp.Tool{Name: "json_schema_2020_12_tool", Description: "Has a schema with keywords of JSON Schema 2020-12.", InputSchema: []byte(wideSchema)}, answer)
	server.AddTool(mcp.Tool{Name: "test_custom_headers", Description: "Has arguments that are repeated in HTTP headers.", InputSchema: []byte(headerSchema)}, answer)
}
