package apiserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// The bounds and defaults of a subscription.
const (
	maxDeliveries     = 1000
	defaultDeliveries = 10
	minAckWait        = time.Second
	defaultAckWait    = 30 * time.Second
	fromNow           = "now"
)

// needEvents refuses what is about events on a server that has no log.
func (s *Server) needEvents() error {
	if s.cfg.Events != nil {
		return nil
	}
	return sdk.Errorf(sdk.CodeUnavailable, "this server has no event log; ask one that has")
}

// ownedEvents refuses also what is about a subscription in a project of another organization, as if it were not there.
func (s *Server) ownedEvents(ctx context.Context) error {
	if err := s.needEvents(); err != nil {
		return err
	}
	if s.checkOwner(ctx) != nil {
		return sdk.Errorf(sdk.CodeNotFound, "there is no such subscription in this project")
	}
	return nil
}

// subscriptionFaults refuses a path's name before it reaches the log.
func subscriptionFaults(name string) []sdk.Fault {
	if sdk.ValidID(name) {
		return nil
	}
	return []sdk.Fault{{Path: "path.name", Message: "must start with a letter or digit and hold at most 128 of A-Z, a-z, 0-9, _ and -"}}
}

// subscriptionRequestFaults names everything that is wrong with a request. Zero values are right: they mean the defaults.
func subscriptionRequestFaults(r sdk.SubscriptionRequest) (faults []sdk.Fault) {
	refuse := func(path, format string, args ...any) {
		faults = append(faults, sdk.Fault{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if len(r.Types) > sdk.MaxEventPatterns {
		refuse("$.types", "has more than %d patterns", sdk.MaxEventPatterns)
	} else {
		for i, p := range r.Types {
			if !p.Valid() {
				refuse(fmt.Sprintf("$.types[%d]", i), "must be a type such as task.completed, or a pattern such as code.* or *")
			}
		}
	}
	if r.From != "" && r.From != fromNow && r.From != "beginning" {
		if _, err := sdk.ParseSequence(r.From); err != nil {
			refuse("$.from", "must be now, beginning or a sequence: a whole number below 2^64 of at most 20 digits, as a string")
		}
	}
	if r.MaxDeliveries < 0 || r.MaxDeliveries > maxDeliveries {
		refuse("$.maxDeliveries", "must be from 1 to %d", maxDeliveries)
	}
	if wait := r.AckWaitMs; wait != 0 && (wait < minAckWait.Milliseconds() || wait > eventlog.MaxAckWait.Milliseconds()) {
		refuse("$.ackWaitMs", "must be from %d to %d milliseconds", minAckWait.Milliseconds(), eventlog.MaxAckWait.Milliseconds())
	}
	return faults
}

// wantedSubscription fills the defaults in. One that is there keeps where it began unless the request says otherwise.
func (s *Server) wantedSubscription(ctx context.Context, name string, r sdk.SubscriptionRequest) (eventlog.Subscription, error) {
	wanted := eventlog.Subscription{
		Name: name, From: r.From, MaxDeliveries: r.MaxDeliveries, AckWait: time.Duration(r.AckWaitMs) * time.Millisecond,
	}
	for _, p := range r.Types {
		if !slices.Contains(wanted.Types, p) {
			wanted.Types = append(wanted.Types, p)
		}
	}
	if wanted.MaxDeliveries == 0 {
		wanted.MaxDeliveries = defaultDeliveries
	}
	if wanted.AckWait == 0 {
		wanted.AckWait = defaultAckWait
	}
	if wanted.From != "" {
		return wanted, nil
	}
	there, err := s.cfg.Events.GetSubscription(ctx, callerOf(ctx).project, name)
	switch {
	case err == nil:
		wanted.From = there.From
	case errors.Is(err, sdk.ErrNotFound):
		wanted.From = fromNow
	default:
		return wanted, err
	}
	return wanted, nil
}

// subscriptionOf is a subscription as it goes over the wire.
func subscriptionOf(s eventlog.Subscription) sdk.Subscription {
	out := sdk.Subscription{
		Name: s.Name, Types: s.Types, From: s.From, MaxDeliveries: s.MaxDeliveries, AckWaitMs: s.AckWait.Milliseconds(),
		CreatedAt: s.CreatedAt.UTC(), Pending: s.Pending, Unacked: s.Unacked,
	}
	if out.Types == nil {
		out.Types = sdk.EventPatterns{}
	}
	return out
}
