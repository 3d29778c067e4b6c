package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Options of [Start]. The zero value is the whole stack in a temporary directory.
type Options struct {
	// Dir holds state and logs. Default a temporary directory that [Stack.Close] removes.
	Dir string
	// NoEvents leaves out the event log, NoControl the control worker, NoAPI the API; each can be started later.
	NoEvents, NoControl, NoAPI bool
	// Env is added to the environment of every process, as KEY=value.
	Env []string
	// Report is told what is being waited for, such as the first build. Optional.
	Report func(string)
}

// Stack is rolecall on one machine. Its parts are processes that a test may kill and start again.
type Stack struct {
	TemporalServer *Process // Temporal and its Web UI
	Events         *Process // the event log; nil until it has been started
	API            *Process // nil until it has been started
	Control        *Process // the control worker; nil until it has been started

	opts      Options
	dir       string
	removeDir bool
	addrs     addrs
	spawner   *spawner
	temporal  client.Client
	client    *sdk.Client

	mu        sync.Mutex
	processes []*Process
	closed    bool
}

// Start builds the programs and starts the stack; everything it started has ended when it fails. ctx bounds the start.
func Start(ctx context.Context, o Options) (_ *Stack, err error) {
	s := &Stack{opts: o, dir: o.Dir, spawner: newSpawner()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	if err := s.startTemporal(ctx); err != nil {
		return nil, err
	}
	if s.temporal, err = client.NewLazyClient(client.Options{HostPort: s.TemporalAddr(), Logger: silent()}); err != nil {
		return nil, fmt.Errorf("dev: Temporal client: %w", err)
	}
	if s.client, err = sdk.NewClient(sdk.Config{URL: s.URL()}); err != nil {
		return nil, fmt.Errorf("dev: API client: %w", err)
	}
	if !o.NoEvents {
		if err := s.StartEvents(ctx); err != nil {
			return nil, err
		}
	}
	if !o.NoControl {
		if err := s.StartControl(ctx); err != nil {
			return nil, err
		}
	}
	if !o.NoAPI {
		if err := s.StartAPI(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// prepare chooses directory and ports and builds what will be needed.
func (s *Stack) prepare(ctx context.Context) error {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "rolecall-dev-")
		if err != nil {
			return fmt.Errorf("dev: %w", err)
		}
		s.dir, s.removeDir = dir, true
	}
	abs, err := filepath.Abs(s.dir)
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	s.dir = abs
	if err := os.MkdirAll(filepath.Join(s.dir, "logs"), 0o755); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	// An empty profile file, so that one of the person who runs this has no say.
	if err := os.WriteFile(s.profileFile(), nil, 0o600); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	if s.addrs, err = reserveAddrs(); err != nil {
		return err
	}
	if s.opts.Report != nil {
		s.opts.Report("building rolecall-dev (with an empty build cache this compiles the Temporal server and takes minutes)")
	}
	_, err = Build(ctx, RolecallDev)
	return err
}

// URL is the address of the API.
func (s *Stack) URL() string { return "http://" + s.addrs.api }

// EventsURL is the address of the event log, a NATS.
func (s *Stack) EventsURL() string { return "nats://" + s.addrs.events }

// TemporalAddr is where Temporal's clients and workers connect.
func (s *Stack) TemporalAddr() string { return s.addrs.temporal }

// UIURL is the address of Temporal's Web UI.
func (s *Stack) UIURL() string { return "http://" + s.addrs.ui }

// Dir holds state and logs.
func (s *Stack) Dir() string { return s.dir }

// Temporal is a client of the namespace "default".
func (s *Stack) Temporal() client.Client { return s.temporal }

// Client is a client of the API.
func (s *Stack) Client() *sdk.Client { return s.client }

func (s *Stack) add(p *Process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("dev: the stack is closed")
	}
	for _, other := range s.processes {
		if other.cmd.Name == p.cmd.Name {
			return fmt.Errorf("dev: there is a process %q already", p.cmd.Name)
		}
	}
	s.processes = append(s.processes, p)
	return nil
}

// closeGrace is how long a process may take to end when the stack is closed.
const closeGrace = 10 * time.Second

// Close ends every process: all but Temporal and the event log at once, then those two. It is safe to call more than once.
func (s *Stack) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.temporal != nil {
		s.temporal.Close()
	}
	for _, last := range []bool{false, true} {
		var ending sync.WaitGroup
		for _, p := range s.processes {
			if last == (p == s.TemporalServer || p == s.Events) {
				ending.Go(func() { p.end(closeGrace) })
			}
		}
		ending.Wait()
	}
	s.spawner.close()
	if s.removeDir {
		return os.RemoveAll(s.dir)
	}
	return nil
}
