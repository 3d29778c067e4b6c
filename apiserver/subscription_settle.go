package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	maxAcks      = 100              // of one request
	settleAtOnce = 8                // of one request
	settleTime   = 10 * time.Second // for all of one request
)

type settleOutput struct {
	Body sdk.SettledList
}

// settle passes a receiver's verdict on events on to the log.
func (s *Server) settle(v eventlog.Verdict) func(context.Context, *subscriptionBody) (*settleOutput, error) {
	return func(ctx context.Context, in *subscriptionBody) (*settleOutput, error) {
		d, fault := decode[sdk.AckRequest](in.body)
		if fault != nil {
			return nil, s.problem(ctx, fault)
		}
		d.add(in.faults()...)
		d.add(ackFaults(d.value, v)...)
		if err := d.err(); err != nil {
			return nil, s.problem(ctx, err)
		}
		if err := s.ownedEvents(ctx); err != nil {
			return nil, s.problem(ctx, err)
		}
		items, err := s.settleAcks(ctx, in.Name, d.value.Acks, v, time.Duration(d.value.DelayMs)*time.Millisecond)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return &settleOutput{Body: sdk.SettledList{Items: items}}, nil
	}
}

func ackFaults(r sdk.AckRequest, v eventlog.Verdict) (faults []sdk.Fault) {
	refuse := func(path, format string, args ...any) {
		faults = append(faults, sdk.Fault{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if len(r.Acks) < 1 || len(r.Acks) > maxAcks {
		refuse("$.acks", "must hold 1 to %d acks, as a pull answered them", maxAcks)
	}
	switch {
	case r.DelayMs != 0 && v != eventlog.VerdictNack:
		refuse("$.delayMs", "is for giving events back: leave it out")
	case r.DelayMs < 0 || r.DelayMs > eventlog.MaxAckWait.Milliseconds():
		refuse("$.delayMs", "must be from 0 to %d", eventlog.MaxAckWait.Milliseconds())
	}
	return faults
}

// settleAcks settles each of the acks once, however often it stands there. It answers an error where the log takes none of them.
func (s *Server) settleAcks(ctx context.Context, name string, acks []string, v eventlog.Verdict, delay time.Duration) ([]sdk.Settled, error) {
	project := callerOf(ctx).project
	if _, err := s.cfg.Events.GetSubscription(ctx, project, name); err != nil {
		return nil, err
	}
	items := make([]sdk.Settled, len(acks))
	first := map[string]int{} // of each ack, where it stands first
	var tickets []eventlog.Ticket
	var at []int // where each ticket's ack stands
	for i, ack := range acks {
		items[i].Ack = ack
		if _, again := first[ack]; again {
			continue
		}
		first[ack] = i
		ticket, err := s.openAck(project, name, ack)
		if err != nil {
			items[i].Error = &sdk.Fault{Path: fmt.Sprintf("$.acks[%d]", i), Message: "is no ack of this subscription"}
			continue
		}
		tickets, at = append(tickets, ticket), append(at, i)
	}
	failed, taken := error(nil), len(tickets) == 0
	for n, one := range s.settleTickets(ctx, project, tickets, v, delay) {
		item := &items[at[n]]
		item.Stale = one.stale
		err := one.err
		if err == nil && v == eventlog.VerdictExtend && !one.stale {
			item.Ack, err = s.sealAck(project, one.next)
		}
		if err == nil {
			taken = true
			continue
		}
		failed = err
		item.Error = &sdk.Fault{Path: fmt.Sprintf("$.acks[%d]", at[n]), Message: "could not be settled now; send it again"}
	}
	if !taken {
		return nil, failed
	}
	for i, ack := range acks {
		items[i] = items[first[ack]]
	}
	return items, nil
}

// settled is what became of a ticket.
type settled struct {
	next  eventlog.Ticket
	stale bool
	err   error
}

// settleTickets settles several tickets at a time.
func (s *Server) settleTickets(ctx context.Context, project string, tickets []eventlog.Ticket, v eventlog.Verdict, delay time.Duration) []settled {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	out := make([]settled, len(tickets))
	var work errgroup.Group
	work.SetLimit(settleAtOnce)
	for i, ticket := range tickets {
		work.Go(func() error {
			one := &out[i]
			one.next, one.stale, one.err = s.cfg.Events.Settle(ctx, project, ticket, v, delay)
			if one.err != nil && !errors.Is(one.err, sdk.ErrUnavailable) && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "an event cannot be settled", "project", project, "subscription", ticket.Subscription, "sequence", ticket.Sequence, "error", one.err)
			}
			return nil
		})
	}
	_ = work.Wait() // every error is in out
	return out
}

// purposeAck keeps tokens for anything else, and acks of other subscriptions, from being taken for one of this.
func purposeAck(project, name string) string { return "ack/" + project + "/" + name }

func (s *Server) sealAck(project string, t eventlog.Ticket) (string, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	return s.seals.Seal(purposeAck(project, t.Subscription), raw)
}

func (s *Server) openAck(project, name, ack string) (t eventlog.Ticket, err error) {
	raw, err := s.seals.Open(purposeAck(project, name), ack)
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(raw, &t)
}
