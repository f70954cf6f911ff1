package resource

import (
	"bytes"
	"context"
	"mime"
	"net/http"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/mcp"
)

// Content is what a resource holds, or is to hold.
type Content struct {
	// MIMEType is its media type; empty: by name or content.
	MIMEType string
	Bytes    []byte
	// Blob says that the bytes go as such even where they are text.
	Blob bool

	name string // a file's, for its ending
}

// place is where a resource was asked for.
type place struct {
	uri       string
	variables map[string]string
}

// source is what answers a resource.
type source interface {
	// read returns what is there; mcp.ErrNoResource when there is nothing.
	read(ctx context.Context, at *place) (*Content, error)
	// write puts c there.
	write(ctx context.Context, at *place, c *Content) error
}

// lister is a source that knows what there is.
type lister interface {
	list(ctx context.Context, r *mcp.ListRequest) (*mcp.ListResult, error)
	complete(ctx context.Context, value string) (*mcp.CompleteResult, error)
}

// stamper is a source whose changes show in a stamp.
type stamper interface{ stamp(at *place) stamp }

// Media types.
const (
	mimeText  = "text/plain"
	mimeJSON  = "application/json"
	mimeBytes = "application/octet-stream"
	// jsonBytesMax bounds what is looked at whether it is JSON.
	jsonBytesMax = 64 << 10
)

// mimeTypes are those of endings that systems do not agree on.
var mimeTypes = map[string]string{
	".md": "text/markdown", ".markdown": "text/markdown", ".txt": mimeText, ".log": mimeText, ".csv": "text/csv", ".tsv": "text/tab-separated-values",
	".json": mimeJSON, ".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml", ".xml": "application/xml",
	".html": "text/html", ".htm": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript", ".ts": "text/plain",
	".go": mimeText, ".rs": mimeText, ".py": mimeText, ".c": mimeText, ".h": mimeText, ".sh": mimeText, ".sql": "application/sql",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".svg": "image/svg+xml",
	".pdf": "application/pdf", ".wasm": "application/wasm", ".zip": "application/zip", ".gz": "application/gzip", ".mp3": "audio/mpeg", ".wav": "audio/wav",
}

// mimeOfName is the media type of a name's ending; empty when it has none.
func mimeOfName(name string) string {
	ending := strings.ToLower(path.Ext(name))
	if ending == "" {
		return ""
	}
	if known, ok := mimeTypes[ending]; ok {
		return known
	}
	media, _, err := mime.ParseMediaType(mime.TypeByExtension(ending))
	if err != nil {
		return ""
	}
	return media
}

// contents is c as the protocol has it. said is what the file says of its media type.
func (c *Content) contents(uri, said string) mcp.ResourceContents {
	isText := !c.Blob && utf8.Valid(c.Bytes) && bytes.IndexByte(c.Bytes, 0) < 0
	media := said
	if media == "" {
		media = c.MIMEType
	}
	if media == "" {
		media = mimeOfName(c.name)
	}
	if media == "" {
		media = c.detect(isText)
	}
	out := mcp.ResourceContents{URI: uri, MIMEType: media}
	if isText {
		out.Text = string(c.Bytes)
	} else {
		out.Blob = c.Bytes
		if out.Blob == nil {
			out.Blob = []byte{}
		}
	}
	return out
}

// detect is the media type by the content.
func (c *Content) detect(isText bool) string {
	b := c.Bytes
	if !isText {
		media, _, _ := strings.Cut(http.DetectContentType(b), ";")
		if strings.HasPrefix(media, "text/") { // it is not UTF-8
			return mimeBytes
		}
		return media
	}
	if len(b) > 0 && len(b) <= jsonBytesMax && (b[0] == '{' || b[0] == '[') && jsontext.Value(b).IsValid() {
		return mimeJSON
	}
	return mimeText
}
