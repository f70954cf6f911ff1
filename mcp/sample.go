package mcp

import (
	"context"
	"strconv"
)

// SampleParams asks the client's model to go on with a conversation
// (client/sampling).
type SampleParams struct {
	Messages     []SampleMessage
	MaxTokens    int // at least 1
	SystemPrompt string
	// Temperature, when not nil, is that of the model.
	Temperature   *float64
	StopSequences []string
	Preferences   *ModelPreferences
	// Context is none (as when empty), thisServer or allServers.
	Context string
	// Tools are offered to the model; the client must have said that it knows
	// them. ToolChoice is auto (as when empty), required or none.
	Tools      []SampleTool
	ToolChoice string
	Metadata   []byte // for the provider of the model: a JSON object, or nil
}

// SampleMessage is one message of a conversation.
type SampleMessage struct {
	Role    Role
	Content []Content // one block, unless it is about tools
}

// SampleTool is a tool that a model may use.
type SampleTool struct {
	Name, Description string
	InputSchema       []byte // as in Tool
}

// ModelPreferences help the client to choose a model. Priorities are from 0 to
// 1; 0 says nothing.
type ModelPreferences struct {
	Hints                []string // parts of models' names, best first
	CostPriority         float64
	SpeedPriority        float64
	IntelligencePriority float64
}

func (*SampleParams) method() string { return methodSample }

func (p *SampleParams) needs(of *client) error {
	switch {
	case of.can&canSample == 0:
		return &CapabilityError{"sampling"}
	case (len(p.Tools) > 0 || p.ToolChoice != "") && of.can&canSampleTools == 0:
		return &CapabilityError{"sampling.tools"}
	}
	return nil
}

func (p *SampleParams) appendParams(dst []byte, _ bool) ([]byte, error) {
	if p.MaxTokens < 1 || len(p.Messages) == 0 {
		return nil, newError("mcp: SampleParams: MaxTokens and Messages are needed")
	}
	dst, err := p.appendMessages(addByte(dst, '{'))
	if err != nil {
		return nil, wrap("mcp: SampleParams: ", err)
	}
	dst = strconv.AppendInt(add(dst, `,"maxTokens":`), int64(p.MaxTokens), 10)
	if p.SystemPrompt != "" {
		dst = appendString(add(dst, `,"systemPrompt":`), p.SystemPrompt)
	}
	if p.Temperature != nil {
		dst = appendFloat(add(dst, `,"temperature":`), *p.Temperature)
	}
	if len(p.StopSequences) > 0 {
		dst = appendStrings(add(dst, `,"stopSequences":`), p.StopSequences)
	}
	if p.Context != "" {
		dst = appendString(add(dst, `,"includeContext":`), p.Context)
	}
	if len(p.Metadata) > 0 {
		metadata, err := oneLineObject(p.Metadata, "")
		if err != nil {
			return nil, wrap("mcp: SampleParams: Metadata: ", err)
		}
		dst = add(add(dst, `,"metadata":`), metadata)
	}
	if dst, err = p.appendTools(p.Preferences.appendTo(dst)); err != nil {
		return nil, wrap("mcp: SampleParams: ", err)
	}
	return addByte(dst, '}'), nil
}

func (p *SampleParams) appendMessages(dst []byte) ([]byte, error) {
	dst = add(dst, `"messages":[`)
	for i, m := range p.Messages {
		if i > 0 {
			dst = addByte(dst, ',')
		}
		dst = appendString(add(dst, `{"role":`), string(m.Role))
		dst = add(dst, `,"content":`)
		var err error
		if len(m.Content) == 1 {
			dst, err = appendContent(dst, &m.Content[0], VersionModern)
		} else {
			dst, err = appendContents(dst, m.Content, VersionModern)
		}
		if err != nil {
			return nil, wrap("message "+itoa(i)+": ", err)
		}
		dst = addByte(dst, '}')
	}
	return addByte(dst, ']'), nil
}

func (p *SampleParams) appendTools(dst []byte) ([]byte, error) {
	if p.ToolChoice != "" {
		dst = addByte(appendString(add(dst, `,"toolChoice":{"mode":`), p.ToolChoice), '}')
	}
	if len(p.Tools) == 0 {
		return dst, nil
	}
	dst = add(dst, `,"tools":[`)
	for i, t := range p.Tools {
		if i > 0 {
			dst = addByte(dst, ',')
		}
		schema, err := oneLineObject(t.InputSchema, `{"type":"object"}`)
		if err != nil {
			return nil, wrap("tool "+quote(t.Name)+": InputSchema: ", err)
		}
		dst = appendString(add(dst, `{"name":`), t.Name)
		if t.Description != "" {
			dst = appendString(add(dst, `,"description":`), t.Description)
		}
		dst = addByte(add(add(dst, `,"inputSchema":`), schema), '}')
	}
	return addByte(dst, ']'), nil
}

// appendTo appends the member modelPreferences with a leading comma.
func (p *ModelPreferences) appendTo(dst []byte) []byte {
	if p == nil {
		return dst
	}
	dst = add(dst, `,"modelPreferences":{`)
	from := len(dst)
	if len(p.Hints) > 0 {
		dst = add(dst, `"hints":[`)
		for i, hint := range p.Hints {
			if i > 0 {
				dst = addByte(dst, ',')
			}
			dst = addByte(appendString(add(dst, `{"name":`), hint), '}')
		}
		dst = addByte(dst, ']')
	}
	for _, priority := range [...]struct {
		name  string
		value float64
	}{{"costPriority", p.CostPriority}, {"speedPriority", p.SpeedPriority}, {"intelligencePriority", p.IntelligencePriority}} {
		if priority.value > 0 {
			dst = addByte(appendString(appendComma(dst, from), priority.name), ':')
			dst = appendFloat(dst, min(priority.value, 1))
		}
	}
	return addByte(dst, '}')
}

// appendStrings appends an array of strings.
func appendStrings(dst []byte, texts []string) []byte {
	dst = addByte(dst, '[')
	for i, text := range texts {
		if i > 0 {
			dst = addByte(dst, ',')
		}
		dst = appendString(dst, text)
	}
	return addByte(dst, ']')
}

// SampleResult is what the client's model answered.
type SampleResult struct {
	Role       Role
	Content    []Content
	Model      string
	StopReason string // endTurn, stopSequence, maxTokens, toolUse or another; may be empty
}

// Sample reads the answer to a [*SampleParams].
func (a Answer) Sample() (*SampleResult, error) {
	r := &SampleResult{}
	var content []byte
	for name, value := range membersOf(a.raw) {
		switch {
		case name == "content":
			content = value
		case value[0] != '"':
		case name == "role":
			r.Role = Role(unquoted(value))
		case name == "model":
			r.Model = unquoted(value)
		case name == "stopReason":
			r.StopReason = unquoted(value)
		}
	}
	blocks, err := readContents(content)
	switch {
	case content == nil:
		return nil, badAnswer(methodSample, "content is there")
	case err != nil:
		return nil, badAnswer(methodSample, err.Error())
	}
	r.Content = blocks
	return r, nil
}

// Sample asks the client's model. See [Call.Ask] for what that means for the
// handler.
func (c *Call) Sample(ctx context.Context, p *SampleParams) (*SampleResult, error) {
	a, err := c.askOne(ctx, p)
	if err != nil {
		return nil, err
	}
	return a.Sample()
}
