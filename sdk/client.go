package sdk

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls a rolecall service over HTTP. It is safe for concurrent use and needs no closing.
//
// Reads and creations are retried a few times when the service can not be reached, is starting or asks for patience; a creation carries
// an idempotency key, and a published event an id, so a repeated one is still one thing. So are [Durable.Put], [Durable.Ack],
// [Durable.Nack], [Durable.Extend] and [Client.CloseSession], which say the same when they are sent again. Nothing else is ever sent twice. Every error of a
// call is an [Error], or wraps the context's error when the context ended first.
type Client struct {
	base *url.URL
	cfg  Config
	http *http.Client
}

// NewClient makes a client. It checks the configuration and calls nobody: a service that is away shows in the first call.
func NewClient(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	base, fault := parseBase(cfg.URL)
	if fault != "" {
		return nil, Errorf(CodeInvalidInput, "EVENTS_SERVICE_URL %s", fault)
	}
	return &Client{base: base, cfg: cfg, http: cfg.HTTPClient}, nil
}

// FromEnv makes a client from the environment; see [Config] for the variables.
func FromEnv() (*Client, error) {
	cfg, err := ConfigFromEnv()
	if err != nil {
		return nil, err
	}
	return NewClient(cfg)
}

// Config is the configuration with its defaults filled in.
func (c *Client) Config() Config { return c.cfg }

// address joins path segments, each escaped, to the service's address.
func (c *Client) address(query url.Values, segments ...string) string {
	u := *c.base
	var plain, escaped strings.Builder
	plain.WriteString(u.Path)
	escaped.WriteString(u.EscapedPath())
	for _, s := range segments {
		plain.WriteString("/" + s)
		escaped.WriteString("/" + url.PathEscape(s))
	}
	u.Path, u.RawPath = plain.String(), escaped.String()
	u.RawQuery = query.Encode()
	return u.String()
}

func (c *Client) headers(h http.Header) {
	h.Set("Accept", "application/json, application/problem+json")
	h.Set("User-Agent", c.cfg.UserAgent)
	if c.cfg.APIKey != "" {
		h.Set("Authorization", "Bearer "+c.cfg.APIKey)
	}
	if c.cfg.ProjectID != "" {
		h.Set("Rolecall-Project", c.cfg.ProjectID)
	}
	if c.cfg.OrganizationID != "" {
		h.Set("Rolecall-Organization", c.cfg.OrganizationID)
	}
}

func (c *Client) pollingInterval() time.Duration {
	return time.Duration(c.cfg.PollingIntervalMs) * time.Millisecond
}
