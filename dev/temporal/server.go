package temporal

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.temporal.io/server/temporal"

	"github.com/rolecall-dev/rolecall/dev/internal/poll"
)

// Server is a running server with its Web UI. Stop it with [Server.Stop].
type Server struct {
	frontend, uiURL string
	server          temporal.Server
	ui              *webUI
	store           *store
	log             *logger
	dynamic         *dynamic
	stop            func() error
}

// Start starts the server and its UI and returns when both can be used: the namespace is there, each search attribute is known to
// visibility, and the UI answers. ctx bounds the start only.
//
// It fails with an [AddressInUseError], [ErrFileInUse] or [ErrIncompatibleFile] where that is the reason; nothing is left running then.
func Start(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	st, err := openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &Server{store: st, log: newLogger(o.Logger, o.LogLevel)}
	s.stop = sync.OnceValue(s.shutDown)
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	p, err := reservePorts(o)
	if err != nil {
		return fmt.Errorf("temporal: %w", err)
	}
	s.frontend, s.uiURL = p.frontend.String(), "http://"+p.ui.String()
	s.dynamic = &dynamic{StaticClient: settings()}
	server, err := temporal.NewServer(serverOptions(p, s.store.config(), s.dynamic, s.log)...)
	if err != nil {
		return fmt.Errorf("temporal: build the server: %w", err)
	}
	s.server = server
	if err := server.Start(); err != nil {
		return fmt.Errorf("temporal: start the server: %w", err)
	}
	if err := s.settle(ctx, o); err != nil {
		return err
	}
	if s.ui, err = startUI(ctx, p, o.Namespace, o.Logger); err != nil {
		return err
	}
	return until(ctx, "the Web UI", func(ctx context.Context) error { return poll.OK(ctx, s.uiURL) })
}

// FrontendAddr is where clients and workers connect, with the port that was chosen.
func (s *Server) FrontendAddr() string { return s.frontend }

// UIURL is the address of the Web UI, without a slash at the end.
func (s *Server) UIURL() string { return s.uiURL }

// Stop ends the server and its UI and gives the file free. It takes about a second; calling it again returns the same.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) shutDown() error {
	s.log.silence()
	var errs []error
	if s.ui != nil {
		if err := s.ui.stop(); err != nil {
			errs = append(errs, fmt.Errorf("temporal: stop the Web UI: %w", err))
		}
	}
	if s.server != nil {
		if err := s.server.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("temporal: stop the server: %w", err))
		}
	}
	return errors.Join(append(errs, s.store.close())...)
}
