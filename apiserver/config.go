package apiserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/apiserver/seal"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// Config sets a [Server] up.
type Config struct {
	// Addr is where the API listens.
	Addr string `env:"ROLECALL_ADDR" envDefault:"127.0.0.1:3009" json:"addr" doc:"Where the API listens; a loopback address while there are no keys."`
	// KeysFile holds the API keys; empty is a server without keys, for callers on this machine only.
	KeysFile string `env:"ROLECALL_KEYS_FILE" json:"keysFile" doc:"The file of API keys, made by rolecall keys create. Empty: no keys, and callers on this machine only."`
	// LeaseKeysFile holds the keys that seal what the server hands out, such as leases, the keys of attempts and the acks of subscriptions;
	// package seal says how it looks. Empty: the file lease-keys in DataDir, which is made where there is none. It is read once, and
	// only where there are API keys, an event log or leases.
	LeaseKeysFile string `env:"ROLECALL_LEASE_KEYS_FILE" json:"leaseKeysFile" doc:"The file of keys that seal what the API hands out, such as leases, the keys of attempts and the acks of subscriptions; the same for all API processes, read at their start. Empty: one of this data directory alone, made where there is none."`
	// DataDir is the directory for what outlives the process. Empty: nothing does.
	DataDir string `env:"ROLECALL_DATA_DIR" envDefault:".rolecall/data" json:"dataDir" doc:"Directory for what outlives the process: the records of a worker's running attempts, the sealing keys of an API process that is given none, the events of an embedded log."`
	// RateLimit is how many requests a second one key may make; 0 is no limit. A request that waits counts once. Those of agents at work, which
	// need the scope work, count apart, and a key may make ten times as many of them: each task takes several.
	RateLimit float64 `env:"ROLECALL_RATE_LIMIT" envDefault:"100" json:"rateLimit" doc:"Requests a second that one API key may make; a wait counts once. Those that need the scope work (claims, leases, heartbeats of agents) count apart, ten times as many. 0: no limit."`
	// RateBurst is how many requests a key that was quiet may make at once, at least 1 where there is a RateLimit; ten times as many of those
	// that need the scope work.
	RateBurst int `env:"ROLECALL_RATE_BURST" envDefault:"200" json:"rateBurst" doc:"Requests that an API key may make at once after it was quiet, 1 to 1000000; ten times as many of those that need the scope work."`
	// Redact says what secrets look like that are taken out of what callers send before it is stored: empty is the common formats, "off" is
	// none, and anything else are regular expressions beside them, as [redact.Parse] reads it.
	Redact string `env:"ROLECALL_REDACT" secret:"true" json:"-" doc:"What is taken out of prompts, progress, errors, live output, events and logs before they are stored. Empty: the common formats of keys and passwords. off: nothing. Else regular expressions beside those, separated by newlines or ;;."`
	// Capture is how much the events of tasks carry: full, or metadata, without prompts, inputs and outputs. Empty: metadata where there is
	// a KeysFile, else full. A control worker alone does not know of keys: metadata.
	Capture string `env:"ROLECALL_CAPTURE" json:"capture" doc:"What events of tasks carry: full, or metadata, without prompts, inputs and outputs. Empty: metadata where ROLECALL_KEYS_FILE is set and for serve --control alone, else full."`
	// TemporalUIURL is where people find the Temporal UI.
	TemporalUIURL string `env:"ROLECALL_TEMPORAL_UI_URL" json:"temporalUiUrl" doc:"Address of the Temporal UI, for links from tasks to their runs. Empty: no links."`
	// CORSOrigins are the web origins whose pages may call the API.
	CORSOrigins []string `env:"ROLECALL_CORS_ORIGINS" envSeparator:"," json:"corsOrigins" doc:"Web origins, comma-separated, whose pages may call the API, such as https://app.example. Empty: none."`
	// ShutdownGrace bounds the time open requests get when the server stops. 0 is the default of 10 s.
	ShutdownGrace time.Duration `env:"ROLECALL_SHUTDOWN_GRACE" envDefault:"10s" json:"shutdownGrace" doc:"How long open requests may take to end when the server stops. Waits are answered at once."`

	// OrchestratorModel and ExecutorModel are those of sessions that name none of their own, whatever their tier.
	OrchestratorModel string `env:"NITY_BRIDGE_ORCHESTRATOR_MODEL" json:"orchestratorModel" doc:"The model of analyze, validate, reflect and skills in sessions that name none, whatever their tier. Empty: the tier's."`
	ExecutorModel     string `env:"NITY_BRIDGE_EXECUTOR_MODEL" json:"executorModel" doc:"The model of execute in sessions that name none, whatever their tier. Empty: the tier's."`

	// Events is the event log, which the server does not close. Default nil: the server has none, and its routes of events answer
	// unavailable.
	Events *eventlog.Log `env:"-" json:"-"`
	// Leases is how agents work over HTTP. Default nil: they can not, and the routes for it answer unavailable.
	Leases Leases `env:"-" json:"-"`
	// Sessions are the sessions. Default nil: the server has none, and its routes of sessions answer unavailable.
	Sessions Sessions `env:"-" json:"-"`
	// Plans are the plans. Default nil: the server has none, and its routes of plans answer unavailable.
	Plans Plans `env:"-" json:"-"`
	// Agents is the registry of agents. Default nil: the server has none, and its routes of agents answer unavailable.
	Agents Agents `env:"-" json:"-"`
	// Metrics takes the server's metrics; one serves one server. Default nil: they are not shown.
	Metrics prometheus.Registerer `env:"-" json:"-"`
	// TracerProvider makes the spans of requests; each goes on with its caller's trace. Default nil: none, and traceparent is not read.
	TracerProvider trace.TracerProvider `env:"-" json:"-"`
}

// SharesLeases reports whether another server may be asked about this one's leases: both may have the same sealing keys where those are in a
// file that was named, or where the event log is not of one process alone.
func (c Config) SharesLeases(events eventlog.Config) bool {
	return c.LeaseKeysFile != "" || events.URL != ""
}

const (
	// maxRate bounds what is a limit, in requests: more than a server answers.
	maxRate = 1_000_000
	// workRate is how many times as many requests of agents at work a key may make as of others.
	workRate = 10
)

// Validate answers nil or an error that names every fault. It reads the keys file and the lease keys file.
func (c Config) Validate() error {
	var faults []error
	if err := checkAddr(c.Addr, c.KeysFile != ""); err != nil {
		faults = append(faults, err)
	}
	if c.KeysFile != "" {
		if _, err := keys.Read(c.KeysFile); err != nil {
			faults = append(faults, err)
		}
	}
	if c.LeaseKeysFile != "" {
		if _, err := seal.Read(c.LeaseKeysFile); err != nil {
			faults = append(faults, err)
		}
	}
	if !(c.RateLimit >= 0 && c.RateLimit <= maxRate) { // not a number is neither
		faults = append(faults, fmt.Errorf("ROLECALL_RATE_LIMIT must be from 0 to %d requests a second", maxRate))
	}
	if c.RateLimit > 0 && (c.RateBurst < 1 || c.RateBurst > maxRate) {
		faults = append(faults, fmt.Errorf("ROLECALL_RATE_BURST must be from 1 to %d requests", maxRate))
	}
	if _, err := c.Redaction(); err != nil {
		faults = append(faults, err)
	}
	if c.TemporalUIURL != "" && !isWebURL(c.TemporalUIURL) {
		faults = append(faults, errors.New("ROLECALL_TEMPORAL_UI_URL must be an http or https address such as http://127.0.0.1:8233"))
	}
	for _, origin := range c.CORSOrigins {
		if !isOrigin(origin) {
			faults = append(faults, fmt.Errorf("ROLECALL_CORS_ORIGINS: %q must be an origin such as https://app.example: scheme, host and port, nothing else", origin))
		}
	}
	for variable, model := range map[string]string{"NITY_BRIDGE_ORCHESTRATOR_MODEL": c.OrchestratorModel, "NITY_BRIDGE_EXECUTOR_MODEL": c.ExecutorModel} {
		if len(model) > sdk.MaxModel {
			faults = append(faults, fmt.Errorf("%s must have at most %d bytes", variable, sdk.MaxModel))
		}
	}
	if c.ShutdownGrace < 0 {
		faults = append(faults, errors.New("ROLECALL_SHUTDOWN_GRACE must not be negative"))
	}
	return errors.Join(faults...)
}

// checkAddr refuses what is no address, and without keys to tell callers apart one that is not loopback.
func checkAddr(addr string, keyed bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return fmt.Errorf("ROLECALL_ADDR: %q is not host:port, such as 127.0.0.1:3009", addr)
	}
	if !keyed && !isLoopback(host) {
		return fmt.Errorf("ROLECALL_ADDR: %q is not a loopback address, and no API keys are configured: anybody who can reach it could run tasks. "+
			"Listen on 127.0.0.1, or make keys with rolecall keys create and name their file in ROLECALL_KEYS_FILE", addr)
	}
	return nil
}

// isLoopback reports whether host is localhost, in 127.0.0.0/8 or ::1.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && isWebURL(s) && s == u.Scheme+"://"+u.Host
}
