package streamable

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/ingot-run/ingot/mcp"
)

// Request headers (basic/transports/streamable-http, "Request Metadata").
const (
	headerVersion = "Mcp-Protocol-Version"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
)

// agree refuses e when its headers contradict it, and returns the version by
// which to serve it if it is not modern.
func agree(e *mcp.Exchange, h http.Header) string {
	version := h.Get(headerVersion)
	if e.NoAnswer && e.Method != "" && !strings.HasPrefix(e.Method, "notifications/") {
		e.Refuse(mcp.CodeInvalidRequest, "the id is missing: "+cut(e.Method)+" is a request")
	}
	switch {
	case e.Modern && !e.NoAnswer:
		checkModern(e, h)
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
func checkModern(e *mcp.Exchange, h http.Header) {
	if e.Version != "" {
		compare(e, h, headerVersion, e.Version)
	}
	if e.Version != mcp.VersionModern {
		return // what else is required depends on the version
	}
	compare(e, h, headerMethod, e.Method)
	switch e.Method {
	case "tools/call", "resources/read", "prompts/get":
		if e.Name != "" {
			compare(e, h, headerName, e.Name)
		}
	}
}

// compare refuses e unless the header is there once and says want.
func compare(e *mcp.Exchange, h http.Header, header, want string) {
	values := h.Values(header)
	if len(values) != 1 {
		e.Refuse(mcp.CodeHeaderMismatch, fmt.Sprintf("Header mismatch: %s must be sent exactly once, not %d times", header, len(values)))
		return
	}
	got, ok := values[0], true
	if header == headerName {
		got, ok = decodeValue(got)
	}
	switch {
	case !ok || strings.ContainsFunc(values[0], isUnsafe):
		e.Refuse(mcp.CodeHeaderMismatch, "Header mismatch: "+header+" has characters that need the =?base64?...?= form, or that form is broken")
	case got != want:
		e.Refuse(mcp.CodeHeaderMismatch, fmt.Sprintf("Header mismatch: %s header value %q does not match body value %q", header, cut(got), cut(want)))
	}
}

// isUnsafe reports whether a header value may not hold r (RFC 9110 section 5.5).
func isUnsafe(r rune) bool { return r != '\t' && (r < 0x20 || r > 0x7E) }

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
