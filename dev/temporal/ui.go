package temporal

import (
	"github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// webUI is Temporal's own Web UI, served from this binary.
type webUI struct {
	server *server.Server
	done   chan struct{}
}

// startUI serves in the background. The UI's server ends the process when its port is taken, which is why it was reserved before.
func startUI(p ports, namespace string) *webUI {
	u := &webUI{done: make(chan struct{})}
	u.server = server.NewServer(server_options.WithConfigProvider(&uiconfig.Config{
		Host:                p.ui.Addr().String(),
		Port:                int(p.ui.Port()),
		TemporalGRPCAddress: p.frontend.String(),
		DefaultNamespace:    namespace,
		EnableUI:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true}, // plain HTTP on loopback
		HideLogs:            true,
		DisableNewsFetch:    true, // nothing is fetched from elsewhere
	}))
	go func() {
		defer close(u.done)
		_ = u.server.Start() // it blocks, logs its own errors and returns none but nil
	}()
	return u
}

func (u *webUI) stop() {
	u.server.Stop()
	<-u.done
}
