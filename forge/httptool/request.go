package httptool

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/template"
)

// Bounds of a request.
const (
	urlBytesMax    = 8 << 10
	headerBytesMax = 8 << 10
	bodyBytesMax   = 16 << 20
)

// request is what is sent, as templates.
type request struct {
	method  string
	origin  string             // scheme://host:port, plain
	path    *template.Template // with what stands in front of the query
	query   *template.Template // behind the question mark, as it stands in the URL
	params  []field            // of query
	headers []field
	body    body
}

// field is a name with a template for its value.
type field struct {
	name  string
	value *template.Template
}

// newRequest parses the templates.
func newRequest(c *config.HTTP) (*request, error) {
	r := &request{method: c.Method}
	origin, rest, err := splitEndpoint(c.Endpoint)
	if err != nil {
		return nil, err
	}
	r.origin = origin
	path, query, _ := strings.Cut(rest, "?")
	if r.path, err = template.Parse(path); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if r.query, err = template.Parse(query); err != nil {
		return nil, fmt.Errorf("endpoint, behind the \"?\": %w", err)
	}
	if r.params, err = fields("query", c.Query); err != nil {
		return nil, err
	}
	if r.headers, err = fields("headers", c.Headers); err != nil {
		return nil, err
	}
	r.body, err = newBody(c)
	return r, err
}

// splitEndpoint cuts a URL behind its host, and refuses one whose host is not
// plain: what a caller says must not decide where a request goes.
func splitEndpoint(endpoint string) (origin, rest string, err error) {
	scheme, behind, ok := strings.Cut(endpoint, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return "", "", fmt.Errorf("endpoint: %q must begin with http:// or https://", endpoint)
	}
	end := strings.IndexAny(behind, "/?#")
	if end < 0 {
		end = len(behind)
	}
	host := behind[:end]
	if strings.Contains(host, "{{") {
		return "", "", fmt.Errorf("endpoint: the host of %q has a placeholder: a caller may not choose where requests go; make a tool for each host", endpoint)
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return "", "", fmt.Errorf("endpoint: %q has no host that can be used (credentials belong under auth)", endpoint)
	}
	rest = behind[end:]
	if strings.Contains(rest, "#") {
		return "", "", fmt.Errorf("endpoint: a fragment (#…) is not sent to a server: leave it out")
	}
	return u.String(), rest, nil
}

// fields parses a mapping of templates, in the order of its names.
func fields(what string, texts map[string]string) ([]field, error) {
	var all []field
	for name, text := range texts {
		parsed, err := template.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", what, name, err)
		}
		all = append(all, field{name, parsed})
	}
	slices.SortFunc(all, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// fill makes the request of one call.
func (r *request) fill(ctx context.Context, values template.Values) (*http.Request, error) {
	address, err := r.url(values)
	if err != nil {
		return nil, err
	}
	content, contentType, err := r.body.fill(values)
	if err != nil {
		return nil, err
	}
	var reader io.Reader
	if content != nil {
		reader = bytes.NewReader(content)
	}
	made, err := http.NewRequestWithContext(ctx, r.method, address, reader)
	if err != nil {
		return nil, fault.Because(err, fault.InvalidInput, "the arguments do not make a URL that can be used")
	}
	if contentType != "" {
		made.Header.Set("Content-Type", contentType)
	}
	for _, h := range r.headers {
		if path, sole := h.value.Sole(); sole {
			if value, err := values.Find(path); err == nil && isAbsent(value) {
				continue
			}
		}
		text, err := h.value.Text(values, nil)
		if err != nil {
			return nil, fault.Because(err, fault.InvalidInput, "%v", err)
		}
		if len(text) > headerBytesMax || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return nil, fault.New(fault.InvalidInput, "the header %s cannot have this value: it has a line break or another control character, or more than %d bytes", h.name, headerBytesMax)
		}
		made.Header.Set(h.name, text)
	}
	return made, nil
}

// url fills in the address.
func (r *request) url(values template.Values) (string, error) {
	path, err := r.path.Text(values, pathSegment)
	if err != nil {
		return "", wrong(err)
	}
	if climbs(path) {
		return "", fault.New(fault.InvalidInput, `the arguments make a path with "." or ".." in it, which could lead elsewhere`)
	}
	query, err := r.query.Text(values, func(_ []string, text string) (string, error) { return url.QueryEscape(text), nil })
	if err != nil {
		return "", wrong(err)
	}
	params := url.Values{}
	for _, p := range r.params {
		if err := addParam(params, p, values); err != nil {
			return "", err
		}
	}
	if more := params.Encode(); more != "" && query != "" {
		query += "&" + more
	} else if more != "" {
		query = more
	}
	if query != "" {
		path += "?" + query
	}
	if len(path) > urlBytesMax {
		return "", fault.New(fault.InvalidInput, "the arguments make a URL of %d bytes, at most %d are allowed", len(path), urlBytesMax)
	}
	return r.origin + path, nil
}

// pathSegment escapes a value for its place in a path.
func pathSegment(_ []string, text string) (string, error) { return url.PathEscape(text), nil }

// climbs says whether a segment of the path is "." or "..".
func climbs(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." {
			return true
		}
	}
	return false
}

// addParam adds a parameter of the query, once for each value.
func addParam(params url.Values, p field, values template.Values) error {
	path, sole := p.value.Sole()
	if !sole {
		text, err := p.value.Text(values, nil)
		if err != nil {
			return wrong(err)
		}
		params.Add(p.name, text)
		return nil
	}
	value, err := values.Find(path)
	if err != nil {
		return wrong(err)
	}
	elements := []jsontext.Value{value}
	if isAbsent(value) {
		return nil
	}
	if value.Kind() == '[' {
		if err := json.Unmarshal(value, &elements); err != nil {
			return wrong(err)
		}
	}
	for _, e := range elements {
		text, err := template.Text(e)
		if err != nil {
			return wrong(err)
		}
		params.Add(p.name, text)
	}
	return nil
}

func isAbsent(value jsontext.Value) bool { return value == nil || value.Kind() == 'n' }

// wrong is an error about the arguments.
func wrong(err error) error { return fault.Because(err, fault.InvalidInput, "%v", err) }
