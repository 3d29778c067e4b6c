package temporal

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/dev/internal/loopback"
)

// Options of [Start]. The zero value needs only DBFile.
type Options struct {
	// FrontendAddr is where clients and workers connect; port 0 (the default) takes a free one. The host is a loopback address.
	FrontendAddr string
	// UIAddr is where the Web UI listens; port 0 (the default) takes a free one. The host is a loopback address.
	UIAddr string
	// DBFile is the SQLite file that keeps everything; it and its directory are created when missing. Required.
	DBFile string
	// Namespace is made at the first start. Default "default".
	Namespace string
	// Retention is how long a finished run can be read, at least one day. Default 30 days. A change applies to an existing file too.
	Retention time.Duration
	// SearchAttributes are made with the namespace; those that one of an earlier start does not have are added to it.
	SearchAttributes []temporal.SearchAttributeKey
	// Logger takes what the server has to say. Default [slog.Default].
	Logger *slog.Logger
	// LogLevel is the least level passed on to Logger; the server is talkative below warn. Default warn.
	LogLevel slog.Leveler
}

func (o Options) withDefaults() (Options, error) {
	if o.DBFile == "" {
		return o, errors.New("temporal: DBFile is required")
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	if o.Retention == 0 {
		o.Retention = 30 * 24 * time.Hour
	}
	if o.Retention < 24*time.Hour {
		return o, fmt.Errorf("temporal: Retention is %s, the server's least is 24h", o.Retention)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.LogLevel == nil {
		o.LogLevel = slog.LevelWarn
	}
	var errs []error
	for _, a := range []struct {
		name string
		addr *string
	}{{"FrontendAddr", &o.FrontendAddr}, {"UIAddr", &o.UIAddr}} {
		if *a.addr == "" {
			*a.addr = loopback.Host + ":0"
		}
		resolved, err := loopback.Check(*a.addr)
		if err != nil {
			errs = append(errs, fmt.Errorf("temporal: %s: %w", a.name, err))
			continue
		}
		*a.addr = resolved
	}
	if o.FrontendAddr == o.UIAddr && !strings.HasSuffix(o.UIAddr, ":0") {
		errs = append(errs, fmt.Errorf("temporal: FrontendAddr and UIAddr are both %s", o.UIAddr))
	}
	return o, errors.Join(errs...)
}
