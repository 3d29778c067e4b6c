package temporal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
)

// webUI is Temporal's own Web UI, served from this binary to pages of its own.
type webUI struct {
	server *http.Server
	done   chan struct{}
}

// startUI listens and serves in the background until [webUI.stop].
func startUI(ctx context.Context, p ports, namespace string, log *slog.Logger) (*webUI, error) {
	pages, err := uiPages(&uiconfig.Config{
		TemporalGRPCAddress: p.frontend.String(),
		DefaultNamespace:    namespace,
		EnableUI:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true}, // plain HTTP on loopback
		DisableNewsFetch:    true,                                // nothing is fetched from elsewhere
	})
	if err != nil {
		return nil, fmt.Errorf("temporal: build the Web UI: %w", err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", p.ui.String())
	if errors.Is(err, syscall.EADDRINUSE) {
		err = &AddressInUseError{Addr: p.ui.String(), Option: "UIAddr"}
	}
	if err != nil {
		return nil, fmt.Errorf("temporal: the Web UI: %w", err)
	}
	u := &webUI{
		server: &http.Server{Handler: ownPages(pages), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)},
		done:   make(chan struct{}),
	}
	go func() {
		defer close(u.done)
		if err := u.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the Web UI ended", "error", err)
		}
	}()
	return u, nil
}

// uiPages puts the parts of ui-server together as its own server does, without the listener, the sign-in and the CORS headers.
func uiPages(cfg *uiconfig.Config) (http.Handler, error) {
	provider, err := uiconfig.NewConfigProviderWithRefresh(cfg)
	if err != nil {
		return nil, err
	}
	assets, err := ui.Assets()
	if err != nil {
		return nil, err
	}
	if assets, err = fs.Sub(assets, "local"); err != nil {
		return nil, err
	}
	e := echo.New()
	secure := !cfg.CORS.CookieInsecure
	e.Use(middleware.Gzip(), middleware.Secure(), csrf.EnsureTokenCookie(secure), middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, secure)))
	route.SetHealthRoute(e)
	if err := route.SetAPIRoutes(e, provider, []api.Middleware{headers.WithForwardHeaders([]string{"Caller-Type"})}); err != nil {
		return nil, err
	}
	if err := route.SetUIRoutes(e, "", assets, provider); err != nil {
		return nil, err
	}
	route.SetRenderRoute(e, "/")
	return e, nil
}

// stop ends the listener and what is open.
func (u *webUI) stop() error {
	err := u.server.Close()
	<-u.done
	return err
}
