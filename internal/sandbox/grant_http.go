package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/ingot-run/ingot/internal/netguard"
)

// requestHead is what a guest sends in front of a request's body.
type requestHead struct {
	Method        string            `json:"method"`
	URL           string            `json:"url"`
	Headers       map[string]string `json:"headers"`
	TimeoutMillis int64             `json:"timeoutMillis"`
}

// responseHead is what it gets back.
type responseHead struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
}

const (
	headBytesMax = 64 << 10
	urlBytesMax  = 8 << 10
	userAgent    = "ingot" // of a guest that names none
)

// hostHTTPRequest is ingot.http_request(head, headLen, body, bodyLen).
func hostHTTPRequest(c *call, m guestBlocks, stack []uint64) ([]byte, *refusal) {
	head, no := parseHead(m.block("http_request", "head", stack[0], stack[1]))
	body := m.block("http_request", "body", stack[2], stack[3])
	if no != nil {
		return nil, no
	}
	return c.sendHTTP(head, body)
}

// sendHTTP sends a request of the guest and returns its answer as a reply: u32
// length of the head, the head, the body.
func (c *call) sendHTTP(head requestHead, body []byte) ([]byte, *refusal) {
	limits := &c.policy.Limits
	if uint64(len(body)) > limits.HTTPRequestBytesMax {
		return nil, refusalf(codeLimit, "the body of the request has %d bytes, at most %d are allowed: send less, or raise limits.http_request_bytes", len(body), limits.HTTPRequestBytesMax)
	}
	timeMax := limits.HTTPTimeMax
	if head.TimeoutMillis > 0 {
		timeMax = min(timeMax, time.Duration(min(head.TimeoutMillis, int64(24*time.Hour/time.Millisecond)))*time.Millisecond)
	}
	ctx, stop := context.WithTimeout(netguard.BeforeHop(c.ctx, c.countRequest), timeMax)
	defer stop()
	request, no := c.request(ctx, head, string(body))
	if no != nil {
		return nil, no
	}
	response, err := c.owner().guard.Do(request)
	if err != nil {
		return nil, c.httpRefusal(request, err)
	}
	defer response.Body.Close()
	return c.readResponse(request, response)
}

// errRequests is that a call has sent all the requests that it may.
var errRequests = errors.New("no request is left")

// countRequest counts a request or a redirect that is about to be sent.
func (c *call) countRequest() error {
	if c.grants.requests >= c.policy.Limits.HTTPRequestsMax {
		return errRequests
	}
	c.grants.requests++
	return nil
}

// parseHead reads the head of a request.
func parseHead(raw []byte) (head requestHead, no *refusal) {
	if len(raw) > headBytesMax {
		return head, refusalf(codeLimit, "the head of the request has %d bytes, at most %d are allowed", len(raw), headBytesMax)
	}
	if err := json.Unmarshal(raw, &head, json.RejectUnknownMembers(true)); err != nil {
		return head, refusalf(codeInvalid, `the head of the request is not {"method":"…","url":"…","headers":{},"timeoutMillis":0}: %v`, err)
	}
	if head.Method == "" {
		head.Method = http.MethodGet
	}
	if len(head.URL) > urlBytesMax {
		return head, refusalf(codeInvalid, "the URL has %d bytes, at most %d are possible", len(head.URL), urlBytesMax)
	}
	return head, nil
}

// request makes the request; whether it is granted is found out when it is sent.
func (c *call) request(ctx context.Context, head requestHead, body string) (*http.Request, *refusal) {
	r, err := http.NewRequestWithContext(ctx, head.Method, head.URL, strings.NewReader(body))
	if err != nil {
		return nil, refusalf(codeInvalid, "the request cannot be sent: %v", err)
	}
	if r.URL.Host == "" {
		return nil, refusalf(codeInvalid, "the URL %q names no host: write it as https://host/path", clip(head.URL, 200))
	}
	r.Header.Set("User-Agent", userAgent)
	for name, value := range head.Headers {
		if fault := c.owner().guard.HeaderFault(r.URL, name, value); fault != "" {
			return nil, refusalf(codeDenied, `%s: grant capabilities.http: [{host: %q, headers: [%q]}], where a header can be granted`, fault, r.URL.Host, clip(name, 64))
		}
		r.Header.Set(name, value)
	}
	return r, nil
}

// httpRefusal words a request that got no answer. What the host's resolver and
// network say beyond that is for its log alone.
func (c *call) httpRefusal(r *http.Request, err error) *refusal {
	var dns *net.DNSError
	var number syscall.Errno
	denied, host := netguard.Denied(err), r.URL.Host
	switch {
	case denied != nil:
		c.log.logger.DebugContext(c.ctx, "an HTTP request of a guest was refused", "reason", denied.Reason)
		return deniedRequest(r, denied)
	case errors.Is(err, errRequests):
		return refusalf(codeLimit, "the call has sent its %d HTTP requests: send fewer, or raise limits.http_requests", c.policy.Limits.HTTPRequestsMax)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refusalf(codeTimeout, "the request to %s was not answered in time: raise limits.http_time or the call's, or ask for less", host)
	case errors.As(err, &dns):
		return refusalf(codeUnavailable, "the name %s cannot be resolved", r.URL.Hostname())
	case errors.As(err, &number):
		return refusalf(codeUnavailable, "connecting to %s failed: %v", host, number)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return refusalf(codeUnavailable, "the request to %s failed: %v", host, err)
}

// deniedRequest names the grant that a request lacks. It does not tell which
// address a name has: that is the host's network's business.
func deniedRequest(r *http.Request, d *netguard.DeniedError) *refusal {
	host := d.Host
	if d.Port != "" && d.Port != "80" && d.Port != "443" {
		host = net.JoinHostPort(d.Host, d.Port)
	}
	if d.Port == "" && d.Host == r.URL.Hostname() {
		host = r.URL.Host
	}
	switch {
	case d.Private:
		return refusalf(codeDenied, `%s is on this machine or in a private network: grant capabilities.http: [{host: %q, private: true}]`, host, host)
	case d.Port != "":
		return refusalf(codeDenied, `%s: grant capabilities.http: [{host: %q, methods: [%s]}]`, d.Reason, host, d.Method)
	case d.Host != "":
		return refusalf(codeDenied, "%s cannot be reached: it has no address that anybody may use", host)
	}
	return refusalf(codeDenied, "%s", d.Reason)
}

// readResponse reads an answer within its limit.
func (c *call) readResponse(r *http.Request, response *http.Response) ([]byte, *refusal) {
	head := responseHead{Status: response.StatusCode, Headers: make(map[string]string, len(response.Header))}
	for name, values := range response.Header {
		head.Headers[strings.ToLower(name)] = strings.ToValidUTF8(strings.Join(values, ", "), "�")
	}
	raw, err := json.Marshal(head)
	if err != nil {
		return nil, refusalf(codeUnavailable, "the answer of %s has headers that cannot be passed on", r.URL.Host)
	}
	bytesMax := c.policy.Limits.HTTPResponseBytesMax
	reply := append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(raw)+int(min(max(response.ContentLength, 0), int64(bytesMax)))), uint32(len(raw))), raw...)
	rest := io.LimitReader(response.Body, int64(bytesMax)+1)
	start := len(reply)
	for {
		if len(reply) == cap(reply) {
			reply = append(reply, 0)[:len(reply)]
		}
		n, err := rest.Read(reply[len(reply):cap(reply)])
		reply = reply[:len(reply)+n]
		switch {
		case uint64(len(reply)-start) > bytesMax:
			return nil, refusalf(codeLimit, "the answer of %s is longer than %d bytes: ask for less, or raise limits.http_response_bytes", r.URL.Host, bytesMax)
		case errors.Is(err, io.EOF):
			return reply, nil
		case err != nil:
			return nil, c.httpRefusal(r, err)
		}
	}
}
