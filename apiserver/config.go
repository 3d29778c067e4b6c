package apiserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config sets a [Server] up.
type Config struct {
	// Addr is where the API listens.
	Addr string `env:"ROLECALL_ADDR" envDefault:"127.0.0.1:3009" json:"addr" doc:"Where the API listens; a loopback address while there are no keys."`
	// TemporalUIURL is where people find the Temporal UI.
	TemporalUIURL string `env:"ROLECALL_TEMPORAL_UI_URL" json:"temporalUiUrl" doc:"Address of the Temporal UI, for links from tasks to their runs. Empty: no links."`
	// CORSOrigins are the web origins whose pages may call the API.
	CORSOrigins []string `env:"ROLECALL_CORS_ORIGINS" envSeparator:"," json:"corsOrigins" doc:"Web origins, comma-separated, whose pages may call the API, such as https://app.example. Empty: none."`
	// ShutdownGrace bounds the time open requests get when the server stops. 0 is the default of 10 s.
	ShutdownGrace time.Duration `env:"ROLECALL_SHUTDOWN_GRACE" envDefault:"10s" json:"shutdownGrace" doc:"How long open requests may take to end when the server stops. Waits are answered at once."`
}

// Validate answers nil or an error that names every fault.
func (c Config) Validate() error {
	var faults []error
	if err := checkAddr(c.Addr); err != nil {
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
	if c.ShutdownGrace < 0 {
		faults = append(faults, errors.New("ROLECALL_SHUTDOWN_GRACE must not be negative"))
	}
	return errors.Join(faults...)
}

// checkAddr refuses what is no address, and one that is not loopback: there are no keys to tell callers apart.
func checkAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return fmt.Errorf("ROLECALL_ADDR: %q is not host:port, such as 127.0.0.1:3009", addr)
	}
	if !isLoopback(host) {
		return fmt.Errorf("ROLECALL_ADDR: %q is not a loopback address, and no API keys are configured: anybody who can reach it could run tasks. "+
			"Listen on 127.0.0.1, or put something that checks callers in front of it", addr)
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
