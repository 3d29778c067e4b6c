package apiserver

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// maxPull is how many events one pull answers at most.
const maxPull = 100

type pullOutput struct {
	Body sdk.DeliveryList
}

// pullEvents gives events of a subscription out, as soon as there are any, or none when the wait is over or the server stops.
func (s *Server) pullEvents(ctx context.Context, in *subscriptionBody) (*pullOutput, error) {
	d, fault := decode[sdk.PullRequest](in.body.orEmpty())
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(in.faults()...)
	if d.value.Max < 0 || d.value.Max > maxPull {
		d.add(sdk.Fault{Path: "$.max", Message: "must be from 1 to " + strconv.Itoa(maxPull)})
	}
	if d.value.WaitMs < 0 || d.value.WaitMs > sdk.MaxWaitMs {
		d.add(sdk.Fault{Path: "$.waitMs", Message: "must be from 0 to " + strconv.Itoa(sdk.MaxWaitMs)})
	}
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.ownedEvents(ctx); err != nil {
		return nil, s.problem(ctx, err)
	}
	list, err := s.pull(ctx, pulling{
		name: in.Name, most: max(d.value.Max, 1), wait: time.Duration(d.value.WaitMs) * time.Millisecond, may: s.stillMay(in.request, keys.ScopeRead),
	})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &pullOutput{Body: sdk.DeliveryList{Items: []sdk.Delivery{}}}
	for _, one := range list {
		delivery, err := s.deliveryOf(callerOf(ctx).project, one)
		if err != nil { // it is given out again until it is dead
			s.log.ErrorContext(ctx, "an event cannot be given out", "subscription", in.Name, "sequence", one.Record.Sequence, "error", err)
			continue
		}
		out.Body.Items = append(out.Body.Items, delivery)
	}
	return out, nil
}

// pulling says what a caller asks a subscription for.
type pulling struct {
	name string
	most int
	wait time.Duration
	may  func(context.Context) *sdk.Error // nil while the caller may go on
}

// pull asks the log. What comes for a caller who has gone meanwhile, or may not go on, is given back.
func (s *Server) pull(ctx context.Context, p pulling) ([]eventlog.Delivery, error) {
	project, wait := callerOf(ctx).project, p.wait
	if s.draining.Err() != nil {
		wait = 0
	}
	waiting := ctx
	if wait > 0 {
		leave, fault := s.waits.enter(callerOf(ctx))
		if fault != nil {
			return nil, fault
		}
		defer leave()
		var cancel context.CancelCauseFunc
		waiting, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(s.draining, func() { cancel(errDraining) })()
		go s.watch(waiting, p.may, cancel)
	}
	list, err := s.cfg.Events.Pull(waiting, project, p.name, p.most, wait)
	refused, _ := errors.AsType[*sdk.Error](context.Cause(waiting))
	switch {
	case ctx.Err() != nil:
		s.giveBack(context.WithoutCancel(ctx), project, list)
		return nil, context.Cause(ctx)
	case refused != nil:
		s.giveBack(ctx, project, list)
		return nil, refused
	case waiting.Err() != nil && err != nil: // the server stops
		return nil, nil
	default:
		return list, err
	}
}

// watch looks again and again whether the caller of a request that waits may go on, until it has ended.
func (s *Server) watch(waiting context.Context, may func(context.Context) *sdk.Error, refuse context.CancelCauseFunc) {
	look := time.NewTicker(s.times.heartbeat)
	defer look.Stop()
	for {
		select {
		case <-waiting.Done():
			return
		case <-look.C:
			if err := may(waiting); err != nil && waiting.Err() == nil {
				refuse(err)
				return
			}
		}
	}
}

// giveBack lets others have at once what nobody got to see. What cannot be given back comes again when its time has passed.
func (s *Server) giveBack(ctx context.Context, project string, list []eventlog.Delivery) {
	tickets := make([]eventlog.Ticket, len(list))
	for i, d := range list {
		tickets[i] = d.Ticket
	}
	s.settleTickets(ctx, project, tickets, eventlog.VerdictNack, 0)
}

func (s *Server) deliveryOf(project string, d eventlog.Delivery) (sdk.Delivery, error) {
	event, err := d.Record.Event()
	if err != nil {
		return sdk.Delivery{}, err
	}
	ack, err := s.sealAck(project, d.Ticket)
	return sdk.Delivery{Event: event, Ack: ack, Deliveries: d.Deliveries}, err
}
