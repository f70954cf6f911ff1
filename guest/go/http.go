package guest

import (
	"encoding/binary"
	"encoding/json"
	"time"
)

// Request is an HTTP request that the host makes for the tool.
type Request struct {
	// Method is GET when it is empty.
	Method string
	// URL is http or https, with the host that the policy grants.
	URL     string
	Headers map[string]string
	Body    []byte
	// Timeout bounds this request, in whole milliseconds; 0: the host's own.
	Timeout time.Duration
}

// Response is what came back, whatever its status.
type Response struct {
	Status int
	// Headers have names in lower case.
	Headers map[string]string
	Body    []byte
}

// HTTP makes a request. A status of 400 and above is no error. Errors:
// [ErrDenied] for an address that is not granted, [ErrLimit], [ErrInvalid],
// [ErrUnavailable] when there is no answer, [ErrTimeout].
func HTTP(r Request) (Response, error) {
	head, err := json.Marshal(struct {
		Method        string            `json:"method,omitempty"`
		URL           string            `json:"url"`
		Headers       map[string]string `json:"headers,omitempty"`
		TimeoutMillis int64             `json:"timeoutMillis,omitempty"`
	}{r.Method, r.URL, r.Headers, r.Timeout.Milliseconds()})
	if err != nil {
		return Response{}, Fail(ErrInvalid.Code, "the request cannot be written as JSON: %v", err)
	}
	reply, err := answer(hostHTTP(string(head), r.Body))
	if err != nil {
		return Response{}, err
	}
	if len(reply) < 4 || uint64(binary.LittleEndian.Uint32(reply)) > uint64(len(reply)-4) {
		return Response{}, badReply("http_request", reply)
	}
	end := 4 + binary.LittleEndian.Uint32(reply)
	var answered struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
	}
	if json.Unmarshal(reply[4:end], &answered) != nil {
		return Response{}, badReply("http_request", reply)
	}
	return Response{Status: answered.Status, Headers: answered.Headers, Body: reply[end:]}, nil
}
