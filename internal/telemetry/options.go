package telemetry

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Options are how traces are sent. The zero value sends none.
type Options struct {
	// Endpoint is the collector's URL; without a path, /v1/traces is added. Empty: none.
	Endpoint string
	// Headers are sent with each request; nil: what OTEL_EXPORTER_OTLP_HEADERS says.
	Headers map[string]string
	// SampleRatio is the part of the calls that are traced whose callers do not say: from
	// 0 to 1.
	SampleRatio float64
	// SampleAlone overrules callers: the ratio counts whatever they say.
	SampleAlone bool
	// Baggage passes on the caller's baggage to the servers that http tools call.
	Baggage bool
	// ServiceName and ServiceVersion say whose spans they are.
	ServiceName, ServiceVersion string
	// Problem, when not nil, is told in a line why spans were not sent.
	Problem func(text string)
}

// FromEnvironment adds what the variables of OpenTelemetry say
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/) and
// o does not. Variables that could not be obeyed are errors.
func FromEnvironment(o Options) (Options, error) {
	if disabled, _ := strconv.ParseBool(os.Getenv("OTEL_SDK_DISABLED")); disabled || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return Options{}, nil
	}
	own := o.Endpoint != ""
	if !own {
		if at := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); at != "" {
			o.Endpoint = at // as it is: the variable names the whole URL
			if u, err := url.Parse(at); err == nil && u.Path == "" {
				u.Path = "/"
				o.Endpoint = u.String()
			}
		} else if at := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); at != "" {
			o.Endpoint = strings.TrimSuffix(at, "/") + pathTraces
		}
	}
	if o.Endpoint == "" {
		return Options{}, nil
	}
	if exporter := os.Getenv("OTEL_TRACES_EXPORTER"); exporter != "" && exporter != "otlp" {
		return o, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: otlp and none are what there is", exporter)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if protocol := os.Getenv(name); !own && protocol != "" && protocol != ProtocolHTTP {
			return o, fmt.Errorf("%s is %q: %s is what there is", name, protocol, ProtocolHTTP)
		}
	}
	if name := os.Getenv("OTEL_SERVICE_NAME"); name != "" && o.ServiceName == "" {
		o.ServiceName = name
	}
	return o, o.sampler()
}

// ProtocolHTTP is the protocol that traces are sent by.
const ProtocolHTTP = "http/protobuf"

const pathTraces = "/v1/traces"

// sampler reads OTEL_TRACES_SAMPLER, where there is one.
func (o *Options) sampler() error {
	name := os.Getenv("OTEL_TRACES_SAMPLER")
	if name == "" {
		return nil
	}
	kind, parents := strings.CutPrefix(name, "parentbased_")
	o.SampleAlone = !parents
	switch kind {
	case "always_on":
		o.SampleRatio = 1
	case "always_off":
		o.SampleRatio = 0
	case "traceidratio":
		o.SampleRatio = 1
		if text := os.Getenv("OTEL_TRACES_SAMPLER_ARG"); text != "" {
			ratio, err := strconv.ParseFloat(text, 64)
			if err != nil || !(ratio >= 0 && ratio <= 1) {
				return fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q: write a number from 0 to 1", text)
			}
			o.SampleRatio = ratio
		}
	default:
		return fmt.Errorf("OTEL_TRACES_SAMPLER is %q: always_on, always_off and traceidratio are what there is, each also with parentbased_ before it", name)
	}
	return nil
}

// endpoint is the URL to send to.
func (o *Options) endpoint() (string, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return "", fmt.Errorf("the endpoint of telemetry is no URL such as http://127.0.0.1:4318, or it has a user in it: secrets belong into headers")
	}
	if u.Path == "" {
		u.Path = pathTraces
	}
	return u.String(), nil
}
