package sdk

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// DefaultURL is where a service on the same machine listens.
const DefaultURL = "http://127.0.0.1:3009"

// The bounds of the intervals of a [Config], in milliseconds.
const (
	MinPollingIntervalMs   = 50
	MaxPollingIntervalMs   = 60_000
	MinHeartbeatIntervalMs = 1000
	MaxHeartbeatIntervalMs = 3_600_000
)

// Config says where the service is and who asks. The zero value of every field means its default; [ConfigFromEnv] reads the
// variables named in the tags.
type Config struct {
	// URL is the service's address: http or https, a host, and a path where it stands behind one.
	URL string `env:"EVENTS_SERVICE_URL" envDefault:"http://127.0.0.1:3009" json:"url" doc:"Where the rolecall API is."`
	// APIKey is sent as a bearer token; empty for a service without keys.
	APIKey string `env:"EVENTS_API_KEY" json:"-" secret:"true" doc:"The API key; none where the service has no keys. A worker's has the scope work, and mints a key for each attempt of its agent's program."`
	// AgentID is who an agent registers and works as; callers leave it empty.
	AgentID string `env:"AGENT_ID" json:"agentId" doc:"The id this agent works as. Default for a worker: made from host name and process."`
	// ProjectID chooses among the projects of the key.
	ProjectID string `env:"PROJECT_ID" json:"projectId" doc:"The project to work in. Empty: the key's only project, or \"default\" on a service without keys."`
	// OrganizationID is looked at by a service without keys only.
	OrganizationID string `env:"ORGANIZATION_ID" json:"organizationId" doc:"The organization. Empty: the key's own, or \"default\" on a service without keys."`
	// PollingIntervalMs is the longest gap between two looks at something where a wait cannot be pushed.
	PollingIntervalMs int64 `env:"TASK_POLLING_INTERVAL" envDefault:"2000" json:"pollingIntervalMs" doc:"Milliseconds, 50 to 60000: the longest gap between two looks where a wait cannot be pushed."`
	// HeartbeatIntervalMs is how often an agent says that it is there.
	HeartbeatIntervalMs int64 `env:"AGENT_HEARTBEAT_INTERVAL" envDefault:"30000" json:"heartbeatIntervalMs" doc:"Milliseconds, 1000 to 3600000: how often an agent says that it is there."`
	// OrchestratorModel and ExecutorModel are those of sessions that name none of their own, whatever their tier.
	OrchestratorModel string `env:"NITY_BRIDGE_ORCHESTRATOR_MODEL" json:"orchestratorModel" doc:"The model of analyze, validate, reflect and skills in sessions that name none, whatever their tier. Empty: the tier's. A client's goes before the server's."`
	ExecutorModel     string `env:"NITY_BRIDGE_EXECUTOR_MODEL" json:"executorModel" doc:"The model of execute in sessions that name none, whatever their tier. Empty: the tier's. A client's goes before the server's."`

	// HTTPClient does the calls. Its Timeout must leave room for waits of half a minute; nil is a client that suits.
	HTTPClient *http.Client `env:"-" json:"-"`
	// UserAgent names the calling program in the service's log; empty is rolecall-go.
	UserAgent string `env:"-" json:"userAgent"`
}

// ConfigFromEnv reads the configuration from the environment. What cannot be read is an [Error] of code invalid_input whose
// Faults name each variable; [NewClient] checks the values.
func ConfigFromEnv() (Config, error) {
	var cfg Config
	err := env.Parse(&cfg)
	if err == nil {
		return cfg, nil
	}
	var f faults
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		for _, one := range all.Errors {
			f.add(variableOf(one), "%v", one)
		}
	}
	if len(f) == 0 {
		f.add("environment", "%v", err)
	}
	return Config{}, &Error{Code: CodeInvalidInput, Message: "the environment is not valid", Faults: f}
}

// variableOf is the variable that a parse error is about.
func variableOf(err error) string {
	if p, ok := errors.AsType[env.ParseError](err); ok {
		if field, ok := reflect.TypeFor[Config]().FieldByName(p.Name); ok {
			return field.Tag.Get("env")
		}
	}
	return "environment"
}

// String is the configuration without its key.
func (c Config) String() string {
	key := "none"
	if c.APIKey != "" {
		key = "set"
	}
	return fmt.Sprintf("url=%s project=%s organization=%s agent=%s key=%s", c.URL, c.ProjectID, c.OrganizationID, c.AgentID, key)
}

func (c Config) withDefaults() Config {
	if c.URL == "" {
		c.URL = DefaultURL
	}
	c.PollingIntervalMs = orDefault(c.PollingIntervalMs, 2000)
	c.HeartbeatIntervalMs = orDefault(c.HeartbeatIntervalMs, 30_000)
	if c.UserAgent == "" {
		c.UserAgent = "rolecall-go"
	}
	if c.HTTPClient == nil {
		c.HTTPClient = newHTTPClient()
	}
	return c
}

// Validate checks every field and answers nil or an [Error] of code invalid_input whose Faults name each variable that is wrong.
func (c Config) Validate() error {
	c = c.withDefaults()
	var f faults
	if _, msg := parseBase(c.URL); msg != "" {
		f.add("EVENTS_SERVICE_URL", "%s", msg)
	}
	if strings.ContainsFunc(c.APIKey, notHeaderSafe) {
		f.add("EVENTS_API_KEY", "must be printable ASCII without spaces")
	}
	f.optionalID("AGENT_ID", c.AgentID)
	f.project("PROJECT_ID", c.ProjectID)
	f.project("ORGANIZATION_ID", c.OrganizationID)
	f.interval("TASK_POLLING_INTERVAL", c.PollingIntervalMs, MinPollingIntervalMs, MaxPollingIntervalMs)
	f.interval("AGENT_HEARTBEAT_INTERVAL", c.HeartbeatIntervalMs, MinHeartbeatIntervalMs, MaxHeartbeatIntervalMs)
	f.text("NITY_BRIDGE_ORCHESTRATOR_MODEL", c.OrchestratorModel, MaxModel)
	f.text("NITY_BRIDGE_EXECUTOR_MODEL", c.ExecutorModel, MaxModel)
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r != ' ' && notHeaderSafe(r) }) {
		f.add("UserAgent", "must be printable ASCII")
	}
	if len(f) == 0 {
		return nil
	}
	return &Error{Code: CodeInvalidInput, Message: "the client's configuration is not valid", Faults: f}
}

func (f *faults) project(path, id string) {
	if id != "" && !ValidProject(id) {
		f.add(path, "must start with a lower-case letter or digit and hold at most 63 of a-z, 0-9, _ and -")
	}
}

func (f *faults) interval(path string, ms, low, high int64) {
	if ms < low || ms > high {
		f.add(path, "must be from %d to %d milliseconds", low, high)
	}
}

func notHeaderSafe(r rune) bool { return r <= ' ' || r > '~' }

// parseBase answers the service's address without a trailing slash, or what is wrong with it.
func parseBase(raw string) (base *url.URL, fault string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, "is not a URL, such as " + DefaultURL
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.Opaque != "":
		return nil, "must be an http or https URL with a host, such as " + DefaultURL
	case u.User != nil:
		return nil, "must not hold a user name: keys go into EVENTS_API_KEY"
	case u.RawQuery != "" || u.Fragment != "":
		return nil, "must end with the path: no query, no fragment"
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, ""
}

// newHTTPClient is a client without an overall timeout, since each call sets its own. It follows no redirect: the key goes to
// the service and to nobody else.
func newHTTPClient() *http.Client {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   32,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: refuse}
}
