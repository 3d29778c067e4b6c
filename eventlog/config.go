package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says where the log is and what it keeps.
type Config struct {
	URL       string `env:"ROLECALL_NATS_URL" doc:"NATS servers with JetStream, 2.12 or later, with a max_payload of 1048576 (their default) or more; comma-separated: nats://host:4222. Empty: embedded, in ROLECALL_DATA_DIR, for one server alone."`
	CredsFile string `env:"ROLECALL_NATS_CREDS_FILE" doc:"File of NATS user credentials, for an external NATS."`
	CAFile    string `env:"ROLECALL_NATS_CA_FILE" doc:"File of the certificate authority of an external NATS."`
	CertFile  string `env:"ROLECALL_NATS_CERT_FILE" doc:"File of the client's certificate for an external NATS."`
	KeyFile   string `env:"ROLECALL_NATS_KEY_FILE" doc:"File of the client's key for an external NATS."`
	Replicas  int    `env:"ROLECALL_NATS_REPLICAS" envDefault:"1" doc:"Copies of each stream in an external cluster: 1, 3 or 5."`

	MaxAge      time.Duration `env:"ROLECALL_EVENT_MAX_AGE" envDefault:"720h" doc:"How long an event is kept; at least 1h."`
	MaxBytes    int64         `env:"ROLECALL_EVENT_MAX_BYTES" envDefault:"10737418240" doc:"How many bytes of events a project keeps; at least 1048576. An external NATS sets them aside for each project."`
	DedupWindow time.Duration `env:"ROLECALL_EVENT_DEDUP_WINDOW" envDefault:"10m" doc:"For how long the same source and id are one event; 1s to 24h."`

	// Dir is where an embedded log keeps its files.
	Dir string `env:"-"`
	// Logger gets the log's log. Default [slog.Default].
	Logger *slog.Logger `env:"-"`
}

const (
	minAge     = time.Hour
	minBytes   = 1 << 20
	maxDedup   = 24 * time.Hour
	defaultAge = 30 * 24 * time.Hour
	defaultMax = 10 << 30
)

func (c Config) withDefaults() Config {
	if c.MaxAge == 0 {
		c.MaxAge = defaultAge
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMax
	}
	if c.DedupWindow == 0 {
		c.DedupWindow = 10 * time.Minute
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate checks the configuration and names every fault at once. A zero value means its default.
func (c Config) Validate() error {
	c = c.withDefaults()
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5 {
		refuse("ROLECALL_NATS_REPLICAS must be 1, 3 or 5")
	}
	if c.MaxAge < minAge {
		refuse("ROLECALL_EVENT_MAX_AGE must be at least %s", minAge)
	}
	if c.MaxBytes < minBytes {
		refuse("ROLECALL_EVENT_MAX_BYTES must be at least %d", minBytes)
	}
	if c.DedupWindow < time.Second || c.DedupWindow > maxDedup || c.DedupWindow > c.MaxAge {
		refuse("ROLECALL_EVENT_DEDUP_WINDOW must be from 1s to %s and at most ROLECALL_EVENT_MAX_AGE", maxDedup)
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		refuse("ROLECALL_NATS_CERT_FILE and ROLECALL_NATS_KEY_FILE go together: set both or neither")
	}
	if c.URL == "" {
		if c.Replicas != 1 {
			refuse("ROLECALL_NATS_REPLICAS needs ROLECALL_NATS_URL: an embedded log is one copy")
		}
		if c.CredsFile != "" || c.CAFile != "" || c.CertFile != "" {
			refuse("ROLECALL_NATS_CREDS_FILE, ROLECALL_NATS_CA_FILE and ROLECALL_NATS_CERT_FILE need ROLECALL_NATS_URL")
		}
		if c.Dir == "" {
			refuse("an embedded log needs a directory")
		}
	}
	return errors.Join(wrong...)
}
