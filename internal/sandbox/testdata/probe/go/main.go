// Command go is the probe in Go: one tool that uses, by its argument op, each
// function of the host through the SDK. The probes in the other folders are the same
// tool; TestProbes runs one script on all of them.
package main

import (
	"time"

	guest "github.com/ingot-run/ingot/guest/go"
)

type args struct {
	Op        string `json:"op" doc:"what to do" enum:"get,set,delete,increment,list,http,progress,log"`
	Key       string `json:"key,omitempty" doc:"key, or prefix of keys"`
	Value     string `json:"value,omitempty" doc:"value, or body of a request"`
	After     string `json:"after,omitempty" doc:"key to list from"`
	IfVersion *int64 `json:"ifVersion" doc:"condition: 0 for absent, or a version"`
	Millis    int64  `json:"millis,omitempty" doc:"time to live or of a request"`
	N         int64  `json:"n,omitempty" doc:"delta or limit"`
	URL       string `json:"url,omitempty" doc:"of a request"`
	Method    string `json:"method,omitempty" doc:"of a request"`
}

type result struct {
	Value   string   `json:"value,omitempty"`
	Version uint64   `json:"version,omitempty"`
	Sum     int64    `json:"sum,omitempty"`
	Keys    []string `json:"keys,omitempty"`
	Status  int      `json:"status,omitempty"`
	Seen    string   `json:"seen,omitempty"`
}

func init() {
	guest.Register(guest.Tool{Name: "probe", Description: "Uses one function of the host."}, probe)
}

func main() {}

func probe(a args) (r result, err error) {
	ttl := time.Duration(a.Millis) * time.Millisecond
	switch a.Op {
	case "get":
		e, err := guest.StateGet(a.Key)
		return result{Value: string(e.Value), Version: e.Version}, err
	case "set":
		o := guest.SetOptions{TTL: ttl}
		if a.IfVersion != nil {
			o.IfVersion, o.IfAbsent = uint64(*a.IfVersion), *a.IfVersion == 0
		}
		r.Version, err = guest.StateSet(a.Key, []byte(a.Value), o)
	case "delete":
		version := int64(0)
		if a.IfVersion != nil {
			version = *a.IfVersion
		}
		err = guest.StateDelete(a.Key, uint64(version))
	case "increment":
		r.Sum, err = guest.StateIncrement(a.Key, a.N, ttl)
	case "list":
		r.Keys, err = guest.StateList(a.Key, a.After, int(a.N))
	case "http":
		response, err := guest.HTTP(guest.Request{Method: a.Method, URL: a.URL, Headers: map[string]string{"X-Said": "hi"}, Body: []byte(a.Value), Timeout: ttl})
		return result{Status: response.Status, Value: string(response.Body), Seen: response.Headers["x-seen"]}, err
	case "progress":
		guest.Progress(1, 2, "half")
		guest.Progress(2, 2, "")
	case "log":
		for level, word := range []string{"debug", "info", "warn", "error"} {
			guest.Log(guest.Level(level), "at %s", word)
		}
	}
	return r, err
}
