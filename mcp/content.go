package mcp

import (
	"encoding/base64"
	"strconv"
)

// ContentType says what a Content holds.
type ContentType string

// The kinds of content. Links came with version 2025-06-18, audio with
// 2025-03-26: clients of earlier versions get a text in their place. Tool use
// and tool results occur in sampling only.
const (
	ContentText       ContentType = "text"
	ContentImage      ContentType = "image"
	ContentAudio      ContentType = "audio"
	ContentLink       ContentType = "resource_link"
	ContentResource   ContentType = "resource"
	ContentToolUse    ContentType = "tool_use"
	ContentToolResult ContentType = "tool_result"
)

// Content is one block of content: of a result, a prompt or a sampled message.
type Content struct {
	Type     ContentType
	Text     string // for ContentText
	Data     []byte // for ContentImage and ContentAudio: the bytes, not yet base64
	MIMEType string // for ContentImage and ContentAudio

	Annotations *Annotations      // for the client's use; may be nil
	Link        *Resource         // for ContentLink
	Resource    *ResourceContents // for ContentResource
	ToolUse     *ToolUse          // for ContentToolUse
	ToolResult  *ToolResult       // for ContentToolResult
}

// Annotations tell a client how to use what they stand on (server/resources,
// "Annotations").
type Annotations struct {
	Audience     []Role  // whom it is for; empty says nothing
	Priority     float64 // 0 to 1; 0 says nothing
	LastModified string  // a time as in RFC 3339; may be empty
}

// Role is a side of a conversation.
type Role string

// The roles.
const (
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
)

// ResourceContents is the contents of a resource, or of a part of it.
type ResourceContents struct {
	URI      string
	MIMEType string
	Text     string
	Blob     []byte // when not nil, the contents instead of Text
	Meta     []byte // _meta, a JSON object, or nil
}

// ToolUse is a model's wish to use a tool that sampling offered it.
type ToolUse struct {
	ID, Name string
	Input    []byte // a JSON object
}

// ToolResult is what a tool that a model used gave back.
type ToolResult struct {
	ID      string // of the ToolUse
	Content []Content
	IsError bool
}

// appendContents appends an array of content, as version knows it.
func appendContents(dst []byte, blocks []Content, version string) ([]byte, error) {
	dst = append(dst, '[')
	for i := range blocks {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendContent(dst, &blocks[i], version); err != nil {
			return dst, wrap("content block "+itoa(i)+" ", err)
		}
	}
	return append(dst, ']'), nil
}

func appendContent(dst []byte, b *Content, version string) ([]byte, error) {
	switch b.Type {
	case ContentText, "":
		dst = append(dst, `{"type":"text","text":`...)
		dst = appendString(dst, b.Text)
		if b.Annotations == nil { // the usual case
			return append(dst, '}'), nil
		}
	case ContentImage, ContentAudio:
		if b.Type == ContentAudio && version == "2024-11-05" {
			return appendContent(dst, &Content{Text: "(audio, " + b.MIMEType + ")"}, version)
		}
		dst = add(dst, `{"type":"`)
		dst = add(dst, b.Type)
		dst = add(dst, `","data":"`)
		dst = base64.StdEncoding.AppendEncode(dst, b.Data)
		dst = add(dst, `","mimeType":`)
		dst = appendString(dst, b.MIMEType)
	case ContentLink:
		if b.Link == nil {
			return dst, newError("is a resource_link without Link")
		}
		if version < "2025-06-18" {
			return appendContent(dst, &Content{Text: b.Link.Name + ": " + b.Link.URI}, version)
		}
		dst = b.Link.appendMembers(add(dst, `{"type":"resource_link",`))
	case ContentResource:
		if b.Resource == nil {
			return dst, newError("is a resource without Resource")
		}
		var err error
		if dst, err = b.Resource.appendTo(add(dst, `{"type":"resource","resource":`)); err != nil {
			return dst, err
		}
	case ContentToolUse, ContentToolResult:
		return appendToolContent(dst, b, version)
	default:
		return dst, newError("has the unknown type " + quote(string(b.Type)))
	}
	return addByte(b.Annotations.appendTo(dst), '}'), nil
}

// appendToolContent appends a block that only sampling has.
func appendToolContent(dst []byte, b *Content, version string) ([]byte, error) {
	if use := b.ToolUse; b.Type == ContentToolUse && use != nil {
		input, err := oneLineObject(use.Input, "{}")
		if err != nil {
			return dst, wrap("has an Input that is ", err)
		}
		dst = appendString(add(dst, `{"type":"tool_use","id":`), use.ID)
		dst = appendString(add(dst, `,"name":`), use.Name)
		return addByte(add(add(dst, `,"input":`), input), '}'), nil
	}
	if result := b.ToolResult; b.Type == ContentToolResult && result != nil {
		dst = appendString(add(dst, `{"type":"tool_result","toolUseId":`), result.ID)
		dst, err := appendContents(add(dst, `,"content":`), result.Content, version)
		if result.IsError {
			dst = add(dst, `,"isError":true`)
		}
		return addByte(dst, '}'), err
	}
	return dst, newError("is a " + string(b.Type) + " without its part")
}

// appendTo appends the member annotations with a leading comma; nothing for
// nil, or for annotations that say nothing.
func (a *Annotations) appendTo(dst []byte) []byte {
	if a == nil || len(a.Audience) == 0 && a.Priority == 0 && a.LastModified == "" {
		return dst
	}
	dst = add(dst, `,"annotations":{`)
	from := len(dst)
	if len(a.Audience) > 0 {
		dst = add(dst, `"audience":[`)
		for i, role := range a.Audience {
			if i > 0 {
				dst = addByte(dst, ',')
			}
			dst = appendString(dst, string(role))
		}
		dst = addByte(dst, ']')
	}
	if a.Priority > 0 {
		dst = appendComma(dst, from)
		dst = strconv.AppendFloat(add(dst, `"priority":`), min(a.Priority, 1), 'g', -1, 64)
	}
	if a.LastModified != "" {
		dst = appendString(add(appendComma(dst, from), `"lastModified":`), a.LastModified)
	}
	return addByte(dst, '}')
}

// appendComma appends a comma unless dst ends at from.
func appendComma(dst []byte, from int) []byte {
	if len(dst) > from {
		dst = addByte(dst, ',')
	}
	return dst
}

// appendTo appends the contents as an object.
func (r *ResourceContents) appendTo(dst []byte) ([]byte, error) {
	dst = appendString(add(dst, `{"uri":`), r.URI)
	if r.MIMEType != "" {
		dst = appendString(add(dst, `,"mimeType":`), r.MIMEType)
	}
	if r.Blob != nil {
		dst = addByte(base64.StdEncoding.AppendEncode(add(dst, `,"blob":"`), r.Blob), '"')
	} else {
		dst = appendString(add(dst, `,"text":`), r.Text)
	}
	if len(r.Meta) > 0 {
		meta, err := oneLineObject(r.Meta, "")
		if err != nil {
			return dst, wrap("has a _meta that is ", err)
		}
		dst = add(add(dst, `,"_meta":`), meta)
	}
	return addByte(dst, '}'), nil
}

// readContent reads a block that a client sent.
func readContent(raw []byte) (Content, error) {
	var b Content
	var id, name string
	var input, inner []byte
	var isError bool
	for member, value := range membersOf(raw) {
		text := ""
		if value[0] == '"' {
			text = unquoted(value)
		}
		switch member {
		case "type":
			b.Type = ContentType(text)
		case "text":
			b.Text = text
		case "mimeType":
			b.MIMEType = text
		case "data":
			data, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return b, newError("content data is not base64")
			}
			b.Data = data
		case "id", "toolUseId":
			id = text
		case "name":
			name = text
		case "input":
			input = value
		case "content":
			inner = value
		case "isError":
			isError = value[0] == 't'
		}
	}
	switch b.Type {
	case ContentText, ContentImage, ContentAudio:
		return b, nil
	case ContentToolUse:
		b.ToolUse = &ToolUse{ID: id, Name: name, Input: input}
		return b, nil
	case ContentToolResult:
		blocks, err := readContents(inner)
		b.ToolResult = &ToolResult{ID: id, Content: blocks, IsError: isError}
		return b, err
	}
	return b, newError("content of the type " + quote(string(b.Type)) + " is not known here")
}

// readContents reads one block, or an array of them.
func readContents(raw []byte) ([]Content, error) {
	if len(raw) == 0 || raw[0] != '[' {
		b, err := readContent(raw)
		return []Content{b}, err
	}
	var blocks []Content
	for element := range elementsOf(raw) {
		b, err := readContent(element)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}
