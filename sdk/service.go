package sdk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// EventHandler reacts to an event. Its error, or panic, gives the event out again; see [Durable.Run].
type EventHandler func(ctx context.Context, e *Event) error

// Service is a program that reacts to events: handlers for patterns of types, over one durable subscription of the service's name. Instances
// of the same name, wherever they run, share the work, and what comes while none runs is waiting for the next. Make it with
// [NewService], say what it does, and run it.
type Service struct {
	durable *Durable
	run     []RunOption
	request SubscriptionRequest

	handlers []patternHandler
	tasks    []taskHandler
	work     WorkerConfig
}

type taskHandler struct {
	kind   TaskType
	handle Handler
}

type patternHandler struct {
	pattern EventPattern
	handle  EventHandler
}

// NewService makes a service that does nothing yet. The name is that of its subscription.
func NewService(client *Client, name string, opts ...ServiceOption) *Service {
	s := &Service{durable: client.Durable(name)}
	for _, o := range opts {
		o.applyService(s)
	}
	return s
}

type serviceOption func(*Service)

func (o serviceOption) applyService(s *Service) { o(s) }

// StartFrom is where a service begins that runs for the first time: now (the default), beginning, or the sequence of an event. It must stay
// the same afterwards, or be left out.
func StartFrom(position string) ServiceOption {
	return serviceOption(func(s *Service) { s.request.From = position })
}

// MaxDeliveries is how often an event that no handler succeeds with is given out, 1 to [MaxMaxDeliveries], until it is dead. The default is 10.
func MaxDeliveries(n int) ServiceOption {
	return serviceOption(func(s *Service) { s.request.MaxDeliveries = n })
}

// AckWait is how soon an event of an instance that was lost is given to another, a second to 12 hours. The default is 30 seconds. An instance
// that works asks for more time by itself.
func AckWait(d time.Duration) ServiceOption {
	return serviceOption(func(s *Service) { s.request.AckWaitMs = d.Milliseconds() })
}

// OnEvent has a handler called with the events of a type, of every type below a name (code.*), or of all (*). Where several fit, each is
// called, in the order they were added; the first error gives the event out again, to all of them. Call it before [Service.Run].
func (s *Service) OnEvent(pattern EventPattern, handler EventHandler) {
	s.handlers = append(s.handlers, patternHandler{pattern, handler})
}

// OnTask has a handler do the tasks of a type, over leases as a [Worker] does. The service then works for the type's own role, and for those
// of [ServeTasks]; a task of such a role that has no handler here fails with unsupported_type, so that its next stage is tried. Call it
// before [Service.Run].
func (s *Service) OnTask(kind TaskType, h Handler) { s.tasks = append(s.tasks, taskHandler{kind, h}) }

// ServeTasks says how a service does the tasks of [Service.OnTask]: as which agent, how many at once, and for which roles beside the types'
// own.
func ServeTasks(cfg WorkerConfig) ServiceOption {
	return serviceOption(func(s *Service) { s.work = cfg })
}

// Run makes the service's subscription, or changes it to the present handlers and options, and reacts to events until ctx ends, as [Durable.Run]
// does, and does the tasks of its types, as [Worker.StartProcessing] does. All instances of a service should have the same handlers: the subscription has the types of the one that was started last. While
// a new version with more of them takes over, an old instance gives back what it has no handler for.
func (s *Service) Run(ctx context.Context) error {
	switch {
	case len(s.tasks) > 0:
		return s.runWithTasks(ctx)
	case len(s.handlers) == 0:
		return Errorf(CodeInvalidInput, "the service %q has nothing to do: add handlers with OnEvent or OnTask", s.durable.name)
	default:
		return s.runEvents(ctx)
	}
}

// runEvents reacts to events until ctx ends.
func (s *Service) runEvents(ctx context.Context) error {
	how, err := receivingOf(s.run)
	if err != nil {
		return err
	}
	if err := s.subscribe(ctx, how); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	return s.durable.receive(ctx, s.handle, how)
}

// subscribe makes the subscription. A service that is away is waited for, and each failure told.
func (s *Service) subscribe(ctx context.Context, how receiving) error {
	retry := backoff{initial: 100 * time.Millisecond, limit: longestPause}
	for {
		err := s.put(ctx)
		if err == nil || !transient(err) {
			return err
		}
		how.tell(nil, err)
		pause, _ := retry.next(err) // an impatient caller has a deadline in ctx
		if stopped := sleep(ctx, pause); stopped != nil {
			return stopped
		}
	}
}

func (s *Service) put(ctx context.Context) error {
	request := s.request
	request.Types = s.types()
	if request.From == "" { // it begins where it began
		had, err := s.durable.Get(ctx)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err == nil {
			request.From = had.From
		}
	}
	_, err := s.durable.Put(ctx, request)
	return err
}

// types are the patterns of all handlers, without those that another one covers.
func (s *Service) types() EventPatterns {
	var all EventPatterns
	for _, h := range s.handlers {
		all = append(all, h.pattern)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(slices.Clone(all), func(p EventPattern) bool {
		return slices.ContainsFunc(all, func(wider EventPattern) bool { return wider != p && wider.covers(p) })
	})
}

// covers reports whether p chooses whatever q does.
func (p EventPattern) covers(q EventPattern) bool {
	if p == "*" {
		return true
	}
	below, ok := strings.CutSuffix(string(p), "*")
	return ok && strings.HasPrefix(string(q), below)
}

// handle calls every handler that fits.
func (s *Service) handle(ctx context.Context, d *Delivery) error {
	known := false
	for _, h := range s.handlers {
		if !h.pattern.Matches(d.Event.Type) {
			continue
		}
		known = true
		if err := h.handle(ctx, &d.Event); err != nil {
			return err
		}
	}
	if !known {
		return fmt.Errorf("this instance of %s has no handler for events of type %s", s.durable.name, d.Event.Type)
	}
	return nil
}
