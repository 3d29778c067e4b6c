package telemetry

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// DefaultMetricsAddr is where a program serves its metrics that has a place for them and is told nothing.
const DefaultMetricsAddr = "127.0.0.1:3010"

// metricsOff is the [Config.MetricsAddr] of a program without metrics.
const metricsOff = "off"

// Config says what a program shows of itself. The zero value is what the program does when it is told nothing: metrics at its
// [Options.FallbackAddr], and no traces. Beside these fields OpenTelemetry's exporter and sampler read their own standard variables (OTEL_*) where there is tracing.
type Config struct {
	// MetricsAddr is where /metrics is served, host:port; "off" is nowhere. Empty is [Options.FallbackAddr].
	MetricsAddr string `env:"ROLECALL_METRICS_ADDR" doc:"Where /metrics is served, without a key, as host:port; off serves none. Default of serve and dev: 127.0.0.1:3010, and no metrics while another program listens there; of a worker: off."`

	// TracesTo is the OpenTelemetry collector, for traces only; it goes before CollectorAt. Both empty is no tracing at all.
	TracesTo string `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" doc:"URL that spans are sent to as it stands, such as http://127.0.0.1:4318/v1/traces. This or OTEL_EXPORTER_OTLP_ENDPOINT turns tracing on."`
	// CollectorAt is the OpenTelemetry collector for all signals; /v1/traces is added to it.
	CollectorAt string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" doc:"URL of the OpenTelemetry collector (OTLP over HTTP), such as http://127.0.0.1:4318; spans go to /v1/traces below it. Empty: no tracing."`
	// TracesProtocol and Protocol are how spans travel: http/protobuf, the standard's default, is the one there is.
	TracesProtocol string `env:"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL" doc:"How spans are sent; http/protobuf is the one that is supported."`
	Protocol       string `env:"OTEL_EXPORTER_OTLP_PROTOCOL" doc:"How every signal is sent; http/protobuf is the one that is supported."`
	// TracesExporter none is no tracing, whatever else is set.
	TracesExporter string `env:"OTEL_TRACES_EXPORTER" doc:"none turns tracing off although a collector is named; otlp is the one that is supported."`
	// Disabled true, in any case of its letters, is no tracing, whatever else is set. Everything else changes nothing.
	Disabled string `env:"OTEL_SDK_DISABLED" doc:"true turns tracing off although a collector is named; everything else changes nothing."`

	// TracesHeaders and Headers go to the collector with every batch of spans; OpenTelemetry's own SDK reads them.
	TracesHeaders string `env:"OTEL_EXPORTER_OTLP_TRACES_HEADERS" secret:"true" doc:"Headers for the collector, for spans only; it goes before OTEL_EXPORTER_OTLP_HEADERS."`
	Headers       string `env:"OTEL_EXPORTER_OTLP_HEADERS" secret:"true" doc:"Headers for the collector, as key=value,key=value; a token for instance."`
}

// Validate checks the configuration and names every fault at once. What is not used is not looked at.
func (c Config) Validate() error {
	var faults []error
	if addr := c.MetricsAddr; addr != "" && addr != metricsOff {
		if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
			faults = append(faults, fmt.Errorf("ROLECALL_METRICS_ADDR: %q is not host:port, such as %s, nor %s", addr, DefaultMetricsAddr, metricsOff))
		}
	}
	if !c.traces() {
		return errors.Join(faults...)
	}
	for _, v := range []struct{ name, value string }{
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.TracesTo}, {"OTEL_EXPORTER_OTLP_ENDPOINT", c.CollectorAt},
	} {
		if v.value != "" && !isWebURL(v.value) {
			faults = append(faults, fmt.Errorf("%s must be an http or https address such as http://127.0.0.1:4318", v.name))
		}
	}
	if p := cmp.Or(c.TracesProtocol, c.Protocol); p != "" && p != "http/protobuf" {
		faults = append(faults, fmt.Errorf("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL: spans are sent as http/protobuf, not %q; "+
			"name the collector's HTTP port, usually 4318, and leave the protocol out", p))
	}
	if e := c.TracesExporter; e != "" && e != "otlp" {
		faults = append(faults, fmt.Errorf("OTEL_TRACES_EXPORTER must be otlp or none, not %q", e))
	}
	for _, v := range []struct{ name, value string }{
		{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", c.TracesHeaders}, {"OTEL_EXPORTER_OTLP_HEADERS", c.Headers},
	} {
		if !areHeaders(v.value) { // which is not repeated: it may hold a token
			faults = append(faults, fmt.Errorf("%s must be key=value,key=value, with what is special in a value as in a URL, such as Authorization=Bearer%%20<token>", v.name))
		}
	}
	return errors.Join(faults...)
}

// traces reports whether spans are made.
func (c Config) traces() bool {
	return (c.TracesTo != "" || c.CollectorAt != "") && !strings.EqualFold(c.Disabled, "true") && c.TracesExporter != "none"
}

// tracesURL is where spans are sent, by the rules of OpenTelemetry's standard. The configuration is valid and traces.
func (c Config) tracesURL() (string, error) {
	u, err := url.Parse(cmp.Or(c.TracesTo, c.CollectorAt))
	if err != nil {
		return "", err
	}
	if c.TracesTo == "" {
		return u.JoinPath("v1", "traces").String(), nil
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), nil
}

// areHeaders reports whether OpenTelemetry's SDK can read all of a variable of headers.
func areHeaders(s string) bool {
	if strings.TrimSpace(s) == "" {
		return true
	}
	for pair := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(pair) == "" {
			continue // which the SDK skips too
		}
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(value)
		if !ok || err != nil || !httpguts.ValidHeaderFieldName(strings.TrimSpace(name)) || !httpguts.ValidHeaderFieldValue(strings.TrimSpace(value)) {
			return false
		}
	}
	return true
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
