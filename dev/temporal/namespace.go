package temporal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rolecall-dev/rolecall/dev/internal/poll"
)

// readyWait bounds each of the steps between a server that runs and one that can be used.
const readyWait = 30 * time.Second

// settle brings the namespace of a running server to what the options ask for, and waits until it can be used.
func (s *Server) settle(ctx context.Context, o Options) error {
	c, err := client.NewLazyClient(client.Options{HostPort: s.frontend, Namespace: o.Namespace, Logger: o.Logger})
	if err != nil {
		return fmt.Errorf("temporal: client: %w", err)
	}
	defer c.Close()
	if err := until(ctx, "the server's frontend", func(ctx context.Context) error {
		_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	}); err != nil {
		return err
	}
	if err := until(ctx, "the namespace "+o.Namespace, func(ctx context.Context) error { return setRetention(ctx, c, o) }); err != nil {
		return err
	}
	missing, err := missingAttributes(ctx, c, o)
	if err != nil {
		return err
	}
	if len(missing) > 0 { // the namespace is older than they are
		s.dynamic.afresh.Store(true)
		if _, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: o.Namespace, SearchAttributes: missing,
		}); err != nil {
			return fmt.Errorf("temporal: add search attributes: %w", err)
		}
	}
	return until(ctx, "the search attributes", func(ctx context.Context) error { return queryAttributes(ctx, c, o) })
}

func until(ctx context.Context, what string, look func(context.Context) error) error {
	if err := poll.Until(ctx, readyWait, look); err != nil {
		return fmt.Errorf("temporal: %s is not ready: %w", what, err)
	}
	return nil
}

func setRetention(ctx context.Context, c client.Client, o Options) error {
	got, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: o.Namespace})
	if err != nil {
		return err
	}
	if got.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() == o.Retention {
		return nil
	}
	_, err = c.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: o.Namespace,
		Config:    &namespace.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(o.Retention)},
	})
	return err
}

// missingAttributes are those that the namespace does not have. One that it has with another type cannot be changed.
func missingAttributes(ctx context.Context, c client.Client, o Options) (map[string]enums.IndexedValueType, error) {
	got, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: o.Namespace})
	if err != nil {
		return nil, fmt.Errorf("temporal: list search attributes: %w", err)
	}
	missing := map[string]enums.IndexedValueType{}
	for _, key := range o.SearchAttributes {
		have, ok := got.GetCustomAttributes()[key.GetName()]
		switch {
		case !ok:
			missing[key.GetName()] = key.GetValueType()
		case have != key.GetValueType():
			return nil, fmt.Errorf("temporal: search attribute %s is a %s in %s and has to be a %s: move the file away to start afresh",
				key.GetName(), have, o.DBFile, key.GetValueType())
		}
	}
	return missing, nil
}

// queryAttributes names every attribute in one visibility query.
func queryAttributes(ctx context.Context, c client.Client, o Options) error {
	if len(o.SearchAttributes) == 0 {
		return nil
	}
	terms := make([]string, len(o.SearchAttributes))
	for i, key := range o.SearchAttributes {
		terms[i] = key.GetName() + " IS NOT NULL"
	}
	_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: o.Namespace, Query: strings.Join(terms, " OR ")})
	return err
}
