package main

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/apiserver"
	"github.com/rolecall-dev/rolecall/cmd/telemetry"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/registry"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
	"github.com/rolecall-dev/rolecall/workers/agents/openai"
	"github.com/rolecall-dev/rolecall/workers/agents/pi"
)

// variable is an environment variable as the tags of the config structs describe it.
type variable struct {
	Name    string   `json:"name"`
	Default string   `json:"default"`
	Doc     string   `json:"doc"`
	Secret  bool     `json:"secret,omitempty"`
	UsedBy  []string `json:"usedBy"`
}

// temporalVariables are the official variables of Temporal's clients that matter most; they are read by Temporal's own envconfig
// package, never by this struct.
type temporalVariables struct {
	Address    string `env:"TEMPORAL_ADDRESS" envDefault:"127.0.0.1:7233" doc:"Where Temporal's frontend is."`
	Namespace  string `env:"TEMPORAL_NAMESPACE" envDefault:"default" doc:"The namespace that holds the tasks."`
	APIKey     string `env:"TEMPORAL_API_KEY" secret:"true" doc:"The API key for Temporal Cloud; it turns TLS on."`
	TLS        string `env:"TEMPORAL_TLS" doc:"true turns TLS on."`
	ClientCert string `env:"TEMPORAL_TLS_CLIENT_CERT_PATH" doc:"File of the client's certificate for mTLS."`
	ClientKey  string `env:"TEMPORAL_TLS_CLIENT_KEY_PATH" doc:"File of the client's key for mTLS."`
	CertData   string `env:"TEMPORAL_TLS_CLIENT_CERT_DATA" doc:"The client's certificate itself."`
	KeyData    string `env:"TEMPORAL_TLS_CLIENT_KEY_DATA" secret:"true" doc:"The client's key itself."`
	ServerCA   string `env:"TEMPORAL_TLS_SERVER_CA_CERT_PATH" doc:"File of the certificate authority of the server."`
	ServerName string `env:"TEMPORAL_TLS_SERVER_NAME" doc:"The server name to expect in its certificate."`
	ConfigFile string `env:"TEMPORAL_CONFIG_FILE" doc:"The temporal.toml with profiles. Default: temporalio/temporal.toml in the user's configuration directory."`
	Profile    string `env:"TEMPORAL_PROFILE" envDefault:"default" doc:"The profile in that file."`
}

// traceVariables are those of OpenTelemetry's standard that matter most beside the ones of [telemetry.Config]; they are read by
// OpenTelemetry's own SDK, also in make dev, never by this struct.
type traceVariables struct {
	ServiceName string `env:"OTEL_SERVICE_NAME" doc:"The program's name in traces. Default: rolecall-serve, rolecall-worker or rolecall-dev."`
	Resource    string `env:"OTEL_RESOURCE_ATTRIBUTES" doc:"What else traces say of the program, such as deployment.environment.name=staging."`
	Sampler     string `env:"OTEL_TRACES_SAMPLER" envDefault:"parentbased_always_on" doc:"Which traces are recorded: always_on, always_off, traceidratio, or with parentbased_ before it as the caller decided where there is one."`
	SamplerArg  string `env:"OTEL_TRACES_SAMPLER_ARG" doc:"The share of traces that traceidratio records, 0 to 1."`
	Timeout     string `env:"OTEL_EXPORTER_OTLP_TIMEOUT" envDefault:"10000" doc:"Milliseconds that one batch of spans may take to be sent."`
	Certificate string `env:"OTEL_EXPORTER_OTLP_CERTIFICATE" doc:"File of the certificate authority of the collector."`
}

// devVariables are those that rolecall-dev (make dev) reads beside the API's and the log's. It is a module of its own, whose tests
// compare what it reads with what is said here.
type devVariables struct {
	TemporalAddr string `env:"ROLECALL_DEV_TEMPORAL_ADDR" envDefault:"127.0.0.1:7233" doc:"Where make dev's Temporal listens; a loopback address."`
	UIAddr       string `env:"ROLECALL_DEV_UI_ADDR" envDefault:"127.0.0.1:8233" doc:"Where make dev's Temporal UI listens; a loopback address."`
	EventsAddr   string `env:"ROLECALL_DEV_EVENTS_ADDR" envDefault:"127.0.0.1:4222" doc:"Where rolecall-dev --only events, an event log for the parts that run as processes of their own, listens; a loopback address."`
	DataDir      string `env:"ROLECALL_DATA_DIR" envDefault:".rolecall/data" doc:"Directory for what outlives the process."`
}

// section is a config struct and which commands read it.
type section struct {
	usedBy string
	config reflect.Type
}

// sections are all config structs. A variable of several is described by the first.
func sections() []section {
	return []section{
		{"client", reflect.TypeFor[sdk.Config]()},
		{"serve", reflect.TypeFor[apiserver.Config]()},
		{"serve", reflect.TypeFor[workers.ControlConfig]()},
		{"serve", reflect.TypeFor[eventlog.Config]()},
		{"serve", reflect.TypeFor[registry.Config]()},
		{"worker", reflect.TypeFor[workers.Config]()},
		{"worker", reflect.TypeFor[command.Config]()},
		{"worker", reflect.TypeFor[pi.Config]()},
		{"worker", reflect.TypeFor[openai.Config]()},
		{"serve", reflect.TypeFor[logConfig]()},
		{"worker", reflect.TypeFor[logConfig]()},
		{"serve", reflect.TypeFor[telemetry.Config]()},
		{"worker", reflect.TypeFor[telemetry.Config]()},
		{"dev", reflect.TypeFor[telemetry.Config]()},
		{"serve", reflect.TypeFor[traceVariables]()},
		{"worker", reflect.TypeFor[traceVariables]()},
		{"serve", reflect.TypeFor[temporalVariables]()},
		{"worker", reflect.TypeFor[temporalVariables]()},
		{"dev", reflect.TypeFor[apiserver.Config]()},
		{"dev", reflect.TypeFor[eventlog.Config]()},
		{"dev", reflect.TypeFor[registry.Config]()},
		{"keys", reflect.TypeFor[keysConfig]()},
		{"dev", reflect.TypeFor[logConfig]()},
		{"dev", reflect.TypeFor[devVariables]()},
	}
}

// variables are those of all sections, each once, by name.
func variables() []variable {
	found := map[string]*variable{}
	var all []*variable
	for _, s := range sections() {
		for field := range s.config.Fields() {
			v, ok := variableOf(field)
			if !ok {
				continue
			}
			known := found[v.Name]
			if known == nil {
				known = &v
				found[v.Name] = known
				all = append(all, known)
			}
			known.Default = cmp.Or(known.Default, v.Default)
			known.Secret = known.Secret || v.Secret
			if !slices.Contains(known.UsedBy, s.usedBy) {
				known.UsedBy = append(known.UsedBy, s.usedBy)
			}
		}
	}
	out := make([]variable, len(all))
	for i, v := range all {
		out[i] = *v
	}
	slices.SortFunc(out, func(a, b variable) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// variableOf reads a field's tags; ok is false for a field that no variable sets.
func variableOf(field reflect.StructField) (v variable, ok bool) {
	name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
	if name == "" || name == "-" {
		return variable{}, false
	}
	return variable{
		Name: name, Default: field.Tag.Get("envDefault"), Doc: field.Tag.Get("doc"), Secret: field.Tag.Get("secret") == "true",
	}, true
}
