package mcp

import "strconv"

// Resource describes a resource. URI and Name are required.
type Resource struct {
	URI         string
	Name        string
	Title       string // for people
	Description string // for the model
	MIMEType    string
	Size        int64 // in bytes; 0 when unknown
	Icons       []Icon
	Annotations *Annotations
}

// Icon is a picture for user interfaces.
type Icon struct {
	Source   string // an https or data URL
	MIMEType string
	Sizes    []string // such as 48x48, or any
	Theme    string   // light, dark, or empty
}

// appendMembers appends the members of a resource's listing, without braces.
func (r *Resource) appendMembers(dst []byte) []byte {
	dst = appendString(append(dst, `"uri":`...), r.URI)
	dst = appendString(append(dst, `,"name":`...), r.Name)
	dst = appendOptional(dst, "title", r.Title)
	dst = appendOptional(dst, "description", r.Description)
	dst = appendOptional(dst, "mimeType", r.MIMEType)
	if r.Size > 0 {
		dst = strconv.AppendInt(append(dst, `,"size":`...), r.Size, 10)
	}
	return appendIcons(dst, r.Icons)
}

// appendOptional appends a member with a leading comma, unless it is empty.
func appendOptional(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return appendString(append(appendString(append(dst, ','), name), ':'), text)
}

// appendIcons appends the member icons with a leading comma, if there are any.
func appendIcons(dst []byte, icons []Icon) []byte {
	if len(icons) == 0 {
		return dst
	}
	dst = append(dst, `,"icons":[`...)
	for i, icon := range icons {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"src":`...), icon.Source)
		dst = appendOptional(dst, "mimeType", icon.MIMEType)
		if len(icon.Sizes) > 0 {
			dst = appendStrings(append(dst, `,"sizes":`...), icon.Sizes)
		}
		dst = append(appendOptional(dst, "theme", icon.Theme), '}')
	}
	return append(dst, ']')
}
