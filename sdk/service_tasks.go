package sdk

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// runWithTasks does tasks, and reacts to events where there are handlers for them, until ctx ends or one of the two fails, which ends the
// other.
func (s *Service) runWithTasks(ctx context.Context) error {
	worker, err := s.worker()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var both sync.WaitGroup
	var working, reacting error
	both.Go(func() {
		defer stop()
		working = worker.StartProcessing(ctx, nil)
	})
	if len(s.handlers) > 0 {
		both.Go(func() {
			defer stop()
			reacting = s.runEvents(ctx)
		})
	}
	both.Wait()
	return errors.Join(working, reacting)
}

// worker is the worker of the service's tasks.
func (s *Service) worker() (*Worker, error) {
	cfg := s.work
	cfg.Roles = slices.Clone(cfg.Roles)
	for _, t := range s.tasks {
		role, known := t.kind.DefaultRole()
		switch {
		case !t.kind.Valid() || t.handle == nil:
			return nil, Errorf(CodeInvalidInput, "OnTask needs a type such as code.review, and a handler; not %q", t.kind)
		case known && !slices.Contains(cfg.Roles, role):
			cfg.Roles = append(cfg.Roles, role)
		case !known && len(s.work.Roles) == 0:
			return nil, Errorf(CodeInvalidInput, "the type %s has no role of its own: name the role with ServeTasks", t.kind)
		}
	}
	worker, err := NewWorker(s.durable.client, cfg)
	if err != nil {
		return nil, err
	}
	for _, t := range s.tasks {
		worker.OnTask(t.kind, t.handle)
	}
	return worker, nil
}
