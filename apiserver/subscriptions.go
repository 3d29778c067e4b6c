package apiserver

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// subscriptionRoutes are the durable subscriptions of a project's event log.
func (s *Server) subscriptionRoutes(api huma.API) {
	const all, one = "/v1/subscriptions", "/v1/subscriptions/{name}"
	huma.Register(api, operation(http.MethodGet, all, "list-subscriptions", "List durable subscriptions", http.StatusOK), s.listSubscriptions)
	huma.Register(api, operation(http.MethodPut, one, "put-subscription", "Make or change a durable subscription", http.StatusCreated), s.putSubscription)
	huma.Register(api, operation(http.MethodGet, one, "get-subscription", "Read a durable subscription", http.StatusOK), s.getSubscription)
	huma.Register(api, operation(http.MethodDelete, one, "delete-subscription", "End a durable subscription", http.StatusNoContent), s.deleteSubscription)
	huma.Register(api, operation(http.MethodPost, one+"/pull", "pull-events", "Get events of a subscription, or wait for some", http.StatusOK), s.pullEvents)
	huma.Register(api, operation(http.MethodPost, one+"/ack", "ack-events", "Say that events are done with", http.StatusOK), s.settle(eventlog.VerdictAck))
	huma.Register(api, operation(http.MethodPost, one+"/nack", "nack-events", "Give events back", http.StatusOK), s.settle(eventlog.VerdictNack))
	huma.Register(api, operation(http.MethodPost, one+"/extend", "extend-events", "Ask for more time for events", http.StatusOK), s.settle(eventlog.VerdictExtend))
	huma.Register(api, operation(http.MethodGet, one+"/dead", "list-dead-events", "List events that nobody acknowledged", http.StatusOK), s.listDead)
}

// subscriptionInput is a request about one subscription that has no body.
type subscriptionInput struct {
	Name string `path:"name" doc:"The subscription's name."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *subscriptionInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

// faults are those of the name and of parameters, of which there is none.
func (in *subscriptionInput) faults() []sdk.Fault {
	return append(subscriptionFaults(in.Name), in.query.faults()...)
}

// subscriptionBody is a request about one subscription with a body.
type subscriptionBody struct {
	Name string `path:"name" doc:"The subscription's name."`

	body    requestBody
	query   query
	request *http.Request
}

// Resolve takes the body and the whole query.
func (in *subscriptionBody) Resolve(ctx huma.Context) []error {
	c := humagin.Unwrap(ctx)
	in.body, in.query, in.request = readBody(c), queryOf(ctx.URL()), c.Request
	return nil
}

// faults are those of the name and of parameters, of which there is none.
func (in *subscriptionBody) faults() []sdk.Fault {
	return append(subscriptionFaults(in.Name), in.query.faults()...)
}

type subscriptionOutput struct {
	Status int
	Body   sdk.Subscription
}

// putSubscription makes a subscription, or changes the one that is there.
func (s *Server) putSubscription(ctx context.Context, in *subscriptionBody) (*subscriptionOutput, error) {
	d, fault := decode[sdk.SubscriptionRequest](in.body.orEmpty())
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(in.faults()...)
	d.add(subscriptionRequestFaults(d.value)...)
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.needEvents(); err != nil {
		return nil, s.problem(ctx, err)
	}
	who := callerOf(ctx)
	entry, fault := s.projects.enter(who)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	defer entry.leave()
	wanted, err := s.wantedSubscription(ctx, in.Name, d.value)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	made, created, err := s.cfg.Events.PutSubscription(ctx, who.project, wanted)
	entry.created = err == nil
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &subscriptionOutput{Status: http.StatusOK, Body: subscriptionOf(made)}
	if created {
		out.Status = http.StatusCreated
	}
	return out, nil
}

func (s *Server) getSubscription(ctx context.Context, in *subscriptionInput) (*subscriptionOutput, error) {
	if faults := in.faults(); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.ownedEvents(ctx); err != nil {
		return nil, s.problem(ctx, err)
	}
	found, err := s.cfg.Events.GetSubscription(ctx, callerOf(ctx).project, in.Name)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &subscriptionOutput{Status: http.StatusOK, Body: subscriptionOf(found)}, nil
}

// deleteSubscription ends a subscription: its place in the log and its dead events are gone.
func (s *Server) deleteSubscription(ctx context.Context, in *subscriptionInput) (*struct{}, error) {
	if faults := in.faults(); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.ownedEvents(ctx); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.cfg.Events.DeleteSubscription(ctx, callerOf(ctx).project, in.Name); err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil //nolint:nilnil // an answer without a body
}

type listSubscriptionsInput struct{ query query }

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *listSubscriptionsInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type listSubscriptionsOutput struct {
	Body sdk.SubscriptionList
}

// listSubscriptions answers all of a project's subscriptions, at most [eventlog.MaxSubscriptions].
func (s *Server) listSubscriptions(ctx context.Context, in *listSubscriptionsInput) (*listSubscriptionsOutput, error) {
	if faults := in.query.faults(); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.needEvents(); err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listSubscriptionsOutput{Body: sdk.SubscriptionList{Items: []sdk.Subscription{}}}
	if s.checkOwner(ctx) != nil {
		return out, nil
	}
	all, err := s.cfg.Events.ListSubscriptions(ctx, callerOf(ctx).project)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	for _, one := range all {
		out.Body.Items = append(out.Body.Items, subscriptionOf(one))
	}
	return out, nil
}
