package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// Site is the processes of a run: the event log, the API, and those that do the jobs.
type Site struct {
	stack   *dev.Stack
	program string // rolecall-bench
	log     *eventlog.Log
	jobs    int
	server  string // NATS's version
}

// jobWait is how long a job may take beyond what it is meant to.
const jobWait = 2 * time.Minute

// Open starts a site. Close it.
func Open(ctx context.Context, o dev.Options) (_ *Site, err error) {
	s := &Site{}
	if s.program, err = dev.Build(ctx, dev.RolecallBench); err != nil {
		return nil, err
	}
	o.NoControl, o.Env = true, append(o.Env, "ROLECALL_LOG_LEVEL=warn")
	if s.stack, err = dev.Start(ctx, o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.log, err = eventlog.Open(ctx, eventlog.Config{URL: s.stack.EventsURL(), Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, err
	}
	if err := s.log.Await(ctx); err != nil {
		return nil, err
	}
	return s, s.makeReference(ctx)
}

// makeReference makes the stream of the first level, with the settings of the project's.
func (s *Site) makeReference(ctx context.Context) error {
	first, err := anEvent("first", published, map[string]any{})
	if err != nil {
		return err
	}
	if _, err := s.log.Append(ctx, project, []sdk.Event{first}); err != nil {
		return err
	}
	nc, err := nats.Connect(s.stack.EventsURL())
	if err != nil {
		return err
	}
	defer nc.Close()
	s.server = nc.ConnectedServerVersion()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	of, err := js.Stream(ctx, "rolecall-"+project)
	if err != nil {
		return err
	}
	cfg := of.CachedInfo().Config
	cfg.Name, cfg.Subjects = referenceStream, []string{referenceSubject}
	_, err = js.CreateStream(ctx, cfg)
	return err
}

// Close ends every process.
func (s *Site) Close() error {
	var err error
	if s.log != nil {
		err = s.log.Close()
	}
	return errors.Join(err, s.stack.Close())
}

func (s *Site) places() Places { return Places{API: s.stack.URL(), NATS: s.stack.EventsURL()} }

// pids are the processes that serve.
func (s *Site) pids() map[string]int {
	return map[string]int{partLog: s.stack.Events.Pid(), partAPI: s.stack.API.Pid()}
}

// running is a job under way.
type running struct {
	process *dev.Process
	into    string
}

// begin starts a process with a job.
func (s *Site) begin(ctx context.Context, j Job) (running, error) {
	s.jobs++
	name := fmt.Sprintf("job-%d", s.jobs)
	j.Into = filepath.Join(s.stack.Dir(), name+"-done.json")
	told := filepath.Join(s.stack.Dir(), name+".json")
	if err := writeFile(told, j); err != nil {
		return running{}, err
	}
	c := dev.Command{Name: name, Path: s.program, Args: []string{"-events", "-job", told}}
	if j.Follow != nil {
		c.Ready = func(context.Context, dev.Run) error {
			var n int
			return readFile(j.Follow.Ready, &n)
		}
	}
	p, err := s.stack.Start(ctx, c)
	return running{p, j.Into}, err
}

// end waits for what a job hands back.
func (r running) end(ctx context.Context, within time.Duration, into any) error {
	select {
	case <-r.process.Done():
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), r.process.Kill())
	case <-time.After(within + jobWait):
		return errors.Join(fmt.Errorf("a job does not end:\n%s", r.process.LogTail(20)), r.process.Kill())
	}
	if err := readFile(r.into, into); err != nil {
		return fmt.Errorf("a job: %w\n%s", err, r.process.LogTail(20))
	}
	return nil
}

// do has a job done.
func (s *Site) do(ctx context.Context, j Job, within time.Duration, into any) error {
	r, err := s.begin(ctx, j)
	if err != nil {
		return err
	}
	return r.end(ctx, within, into)
}
