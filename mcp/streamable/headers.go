package streamable

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/ingot-run/ingot/mcp"
)

// Request headers (basic/transports/streamable-http, "Request Metadata", and
// 2025-11-25 basic/transports), in their canonical form.
const (
	headerVersion   = "Mcp-Protocol-Version"
	headerMethod    = "Mcp-Method"
	headerName      = "Mcp-Name"
	headerParam     = "Mcp-Param-" // and a name
	headerSession   = "Mcp-Session-Id"
	headerLastEvent = "Last-Event-Id"
)

const methodListen = "subscriptions/listen"

// agree refuses e when its headers contradict it, and returns the version by
// which to serve it if it is not modern.
func (h *Handler) agree(e *mcp.Exchange, header http.Header) string {
	version := header.Get(headerVersion)
	if e.NoAnswer && e.Method != "" && !strings.HasPrefix(e.Method, "notifications/") {
		e.Refuse(mcp.CodeInvalidRequest, "the id is missing: "+cut(e.Method)+" is a request")
	}
	switch {
	case e.Modern && !e.NoAnswer:
		h.checkModern(e, header)
		e.RefuseBadMeta()
	case version == "":
		return mcp.VersionUnnamed
	case mcp.IsLegacyVersion(version):
		return version
	case version != mcp.VersionModern:
		e.RefuseVersion(version)
	case !e.NoAnswer:
		e.Refuse(mcp.CodeInvalidParams, "params._meta lacks the protocol fields that the "+headerVersion+" header promises")
	}
	return ""
}

// checkModern compares the headers of a modern request with its message.
func (h *Handler) checkModern(e *mcp.Exchange, header http.Header) {
	if e.Version != "" {
		compare(e, header, headerVersion, e.Version)
	}
	if e.Version != mcp.VersionModern {
		return // what else is required depends on the version
	}
	compare(e, header, headerMethod, e.Method)
	switch e.Method {
	case "tools/call", "resources/read", "prompts/get", "tasks/get", "tasks/update", "tasks/cancel":
		if e.Name != "" {
			compare(e, header, headerName, e.Name)
		}
	}
	if e.Method == "tools/call" {
		h.checkParams(e, header)
	}
}

// compare refuses e unless the header is there once and says want.
func compare(e *mcp.Exchange, header http.Header, name, want string) {
	values := header[name]
	if len(values) != 1 {
		e.Refuse(mcp.CodeHeaderMismatch, fmt.Sprintf("Header mismatch: %s must be sent exactly once, not %d times", name, len(values)))
		return
	}
	got, ok := values[0], true
	if name == headerName {
		got, ok = decodeValue(got)
	}
	switch {
	case !ok || hasUnsafe(values[0]):
		refuseUnsafe(e, name)
	case got != want:
		refuseMismatch(e, name, got, want)
	}
}

func refuseUnsafe(e *mcp.Exchange, name string) {
	e.Refuse(mcp.CodeHeaderMismatch, "Header mismatch: "+name+" has characters that need the =?base64?...?= form, or that form is broken")
}

func refuseMismatch(e *mcp.Exchange, name, got, want string) {
	e.Refuse(mcp.CodeHeaderMismatch, fmt.Sprintf("Header mismatch: %s header value %q does not match body value %q", name, cut(got), cut(want)))
}

// hasUnsafe reports whether a header has a value that it may not hold (RFC 9110
// section 5.5).
func hasUnsafe(value string) bool {
	for i := range len(value) {
		if b := value[i]; b != '\t' && (b < 0x20 || b > 0x7E) {
			return true
		}
	}
	return false
}

// decodeValue undoes the Base64 form (ibid., "Value Encoding").
func decodeValue(value string) (string, bool) {
	inner, ok := strings.CutPrefix(value, "=?base64?")
	if !ok || !strings.HasSuffix(inner, "?=") {
		return value, true
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(inner, "?="))
	return string(raw), err == nil
}

// cut bounds what an error repeats.
func cut(text string) string { return text[:min(len(text), 128)] }
