package httptool

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/backoff"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/internal/netguard"
	"github.com/ingot-run/ingot/internal/trace"
	"github.com/ingot-run/ingot/mcp"
)

const (
	// timeDefault bounds a call that has no deadline of its own.
	timeDefault = 30 * time.Second
	// connsMax bounds the connections of one tool.
	connsMax = 64
	// reportBytesMax bounds what an error quotes of an answer.
	reportBytesMax = 4 << 10
	// jsonDepthMax is how deep structured content may nest.
	jsonDepthMax = 100
	// identity is the encoding that changes nothing (RFC 9110, section 8.4.1).
	identity = "identity"
)

// tool is a request that is made.
type tool struct {
	name     string
	request  *request
	guard    *netguard.Guard
	auth     *config.Auth
	retry    backoff.Policy
	on       []string
	bytesMax uint64
	object   bool // answers are JSON objects
	secrets  config.Secrets
}

// repeatable are the methods that may be sent twice (RFC 9110, section 9.2.2).
var repeatable = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete}

// New makes the handler of a tool of the kind http, and close, which ends the
// connections that it keeps.
func New(t *config.Tool, secrets config.Secrets) (_ mcp.Handler, close func(), err error) {
	return newTool(t, secrets, netguard.Options{ConnsPerHostMax: connsMax})
}

func newTool(t *config.Tool, secrets config.Secrets, o netguard.Options) (_ mcp.Handler, close func(), err error) {
	made, close, err := makeTool(t, secrets, o)
	if err != nil {
		return nil, nil, err
	}
	return made.call, close, nil
}

// makeTool makes the request of a tool, or of a resource.
func makeTool(t *config.Tool, secrets config.Secrets, o netguard.Options) (_ *tool, close func(), err error) {
	c := t.HTTP
	r, err := newRequest(c)
	if err != nil {
		return nil, nil, fmt.Errorf("tool %s: %w", t.Name, err)
	}
	u, err := url.Parse(r.origin)
	if err != nil {
		return nil, nil, fmt.Errorf("tool %s: endpoint: %w", t.Name, err)
	}
	guard, err := netguard.New([]netguard.Rule{{Host: u.Host, Methods: []string{c.Method, http.MethodGet}, Private: c.Private}}, o)
	if err != nil {
		return nil, nil, fmt.Errorf("tool %s: endpoint: %w", t.Name, err)
	}
	made := &tool{
		name: t.Name, request: r, guard: guard, auth: c.Auth, bytesMax: c.ResponseBytesMax,
		object: len(t.OutputSchema) > 0, secrets: secrets, retry: backoff.Policy{Attempts: 1},
	}
	if c.Retry != nil && slices.Contains(repeatable, c.Method) {
		made.on = c.Retry.On
		made.retry = backoff.Policy{Attempts: c.Retry.MaxAttempts, Initial: c.Retry.Initial, Max: c.Retry.Max, Multiplier: c.Retry.Multiplier, Jitter: c.Retry.Jitter}
	}
	return made, guard.Close, nil
}

// call is the tool's mcp.Handler.
func (t *tool) call(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
	values, err := template.ReadValues(r.Arguments)
	if err != nil {
		return nil, wrong(err)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeDefault)
		defer cancel()
	}
	for attempt := 1; ; attempt++ {
		a, err := t.attempt(ctx, values)
		if err == nil {
			return t.result(a)
		}
		if attempt >= t.retry.Attempts || !slices.Contains(t.on, string(fault.ClassOf(err))) || ctx.Err() != nil {
			return nil, err
		}
		asked := fault.RetryAfter(err)
		if asked > t.retry.Max || t.retry.Wait(ctx, attempt, asked) != nil {
			return nil, err // the last word of the other side says more
		}
	}
}

// answer is what came back.
type answer struct {
	url         string
	contentType string
	content     []byte
}

// attempt sends the request once.
func (t *tool) attempt(ctx context.Context, values template.Values) (*answer, error) {
	ctx, span := trace.Start(ctx, trace.Client, t.request.method)
	a, err := t.send(ctx, span, values)
	if span != nil {
		span.Set("http.request.method", t.request.method)
		span.Set("server.address", t.request.origin)
		span.End(string(fault.ClassOf(err)))
	}
	return a, err
}

func (t *tool) send(ctx context.Context, span *trace.Span, values template.Values) (*answer, error) {
	request, err := t.request.fill(ctx, values)
	if err != nil {
		return nil, err
	}
	t.authorize(request)
	if request.Header.Get("Traceparent") == "" { // the file may say one itself
		trace.Inject(ctx, request.Header)
	}
	request.Header.Set("Accept-Encoding", identity) // without it a server may choose
	response, err := t.guard.Do(request)
	if err != nil {
		return nil, t.unsent(ctx, err)
	}
	defer response.Body.Close()
	span.Set("http.response.status_code", int64(response.StatusCode))
	content, err := io.ReadAll(io.LimitReader(response.Body, int64(t.bytesMax)+1))
	coding := strings.TrimSpace(response.Header.Get("Content-Encoding"))
	switch {
	case err != nil:
		return nil, t.broken(ctx, err)
	case coding != "" && !strings.EqualFold(coding, identity):
		return nil, fault.New(fault.Failed, "%s answered in the encoding %s, which it was asked not to use, and which is not unpacked here", t.request.origin, fault.Shorten(coding, 40))
	case uint64(len(content)) > t.bytesMax:
		return nil, fault.New(fault.Failed, "%s answered with more than %d bytes: ask for less, or raise the response limit", t.request.origin, t.bytesMax)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, t.refused(response, content)
	}
	return &answer{url: t.request.origin, contentType: response.Header.Get("Content-Type"), content: content}, nil
}

// authorize says who sends the request.
func (t *tool) authorize(r *http.Request) {
	if t.auth == nil {
		return
	}
	switch t.auth.Type {
	case config.AuthBearer:
		r.Header.Set("Authorization", "Bearer "+t.auth.Token)
	case config.AuthBasic:
		r.SetBasicAuth(t.auth.Username, t.auth.Password)
	case config.AuthAPIKey:
		r.Header.Set(t.auth.Header, t.auth.Key)
	}
}

// unsent words why there is no answer. The error of the client may hold the whole
// URL, and with it arguments: it is kept as the cause only.
func (t *tool) unsent(ctx context.Context, err error) error {
	denied := netguard.Denied(err)
	switch {
	case denied != nil:
		return fault.Because(err, fault.Denied, "%s", t.denied(denied))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.Because(err, fault.Timeout, "%s did not answer in time", t.request.origin)
	case ctx.Err() != nil:
		return fault.Because(err, fault.Canceled, "the request to %s was given up by the caller", t.request.origin)
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	class, what := fault.Unavailable, "did not answer as HTTP asks"
	dial, dialed := errors.AsType[*net.OpError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case untrusted:
		what = "cannot be trusted"
	case errors.Is(err, netguard.ErrRedirects):
		class, what = fault.Failed, "leads from one place to the next"
	case dialed && dial.Op == "dial":
		what = "cannot be reached"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), dialed:
		what = "hung up before it answered"
	}
	return fault.Because(err, class, "%s %s: %s", t.request.origin, what, t.secrets.Redact(err.Error()))
}

// denied words why a request was not sent, or not sent on.
func (t *tool) denied(d *netguard.DeniedError) string {
	if u, err := url.Parse(t.request.origin); err == nil && !strings.EqualFold(u.Hostname(), d.Host) {
		return fmt.Sprintf("%s leads elsewhere, where this tool may not go: %s", t.request.origin, d.Reason)
	}
	if d.Private {
		return fmt.Sprintf("%s: %s; the tool's owner can say private: true", t.request.origin, d.Reason)
	}
	return t.request.origin + ": " + d.Reason
}

// broken words why the end of an answer is missing.
func (t *tool) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return t.unsent(ctx, err)
	}
	return fault.Because(err, fault.Unavailable, "%s broke off in the middle of its answer: %s", t.request.origin, t.secrets.Redact(err.Error()))
}

// refused is the error of a status.
func (t *tool) refused(response *http.Response, content []byte) error {
	class, status := fault.Failed, response.StatusCode
	switch {
	case status >= 500 && status != http.StatusNotImplemented, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		class = fault.Unavailable
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(content), ""))
	if text != "" {
		text = ": " + fault.Shorten(t.secrets.Redact(text), reportBytesMax) // in this order: half a secret is not found
	}
	err := fault.Because(errStatus(status), class, "%s answered %d %s%s", t.request.origin, status, http.StatusText(status), text)
	err.RetryAfter = retryAfter(response.Header)
	return err
}

// retryAfter is how long the other side wants to be left alone; 0 when it does not
// say.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 3600)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// result makes an answer of the tool.
func (t *tool) result(a *answer) (*mcp.CallResult, error) {
	media, _, err := mime.ParseMediaType(a.contentType)
	if err != nil {
		media = http.DetectContentType(a.content)
		media, _, _ = strings.Cut(media, ";")
	}
	isJSON := media == typeJSON || strings.HasSuffix(media, "+json")
	switch {
	case t.object && !(isJSON && isObject(a.content)):
		return nil, fault.New(fault.Failed, "%s answered with %s, and not with the JSON object that the tool's output schema promises", a.url, media)
	case isJSON && isObject(a.content):
		return mcp.StructuredJSON(a.content), nil
	case strings.HasPrefix(media, "image/"):
		return &mcp.CallResult{Content: []mcp.Content{{Type: mcp.ContentImage, Data: a.content, MIMEType: media}}}, nil
	case strings.HasPrefix(media, "audio/"):
		return &mcp.CallResult{Content: []mcp.Content{{Type: mcp.ContentAudio, Data: a.content, MIMEType: media}}}, nil
	case isJSON, strings.HasPrefix(media, "text/"), utf8.Valid(a.content):
		return mcp.TextResult(strings.ToValidUTF8(string(a.content), "\ufffd")), nil
	default:
		blob := &mcp.ResourceContents{URI: a.url, MIMEType: media, Blob: a.content}
		return &mcp.CallResult{Content: []mcp.Content{{Type: mcp.ContentResource, Resource: blob}}}, nil
	}
}

// isObject says whether content can go on as structured content.
func isObject(content []byte) bool {
	v := jsontext.Value(content)
	if !v.IsValid() || v.Kind() != '{' {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(content); i++ {
		switch c := content[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > jsonDepthMax {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}
