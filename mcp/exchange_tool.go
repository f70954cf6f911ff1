package mcp

// ToolSchema returns the InputSchema of the tool that the frame calls; nil when
// it calls none that there is. It is not to be changed.
func (e *Exchange) ToolSchema() []byte {
	if e.Method != methodToolsCall {
		return nil
	}
	t := e.server.offers().tools.byKey[e.Name]
	if t == nil {
		return nil
	}
	return t.InputSchema
}

// Arguments returns params.arguments as raw JSON; nil when there are none. It
// is good as long as the frame.
func (e *Exchange) Arguments() []byte { return e.message.param("arguments") }
