package sdk

import (
	"context"
	"crypto/rand"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// CreatePlan starts a plan, which goes on through every restart of the service and of the caller. The structure of the request is checked
// before it is sent, with the same [PlanRequest.Validate] as the service's; the service also reads its expressions, and what is wrong with
// them is an error of code invalid_input too. An idempotency key is made unless [IdempotencyKey] gives one: however often the call has to
// be repeated, it is one plan. A key that was used before answers the plan of then; with another request it is an error of code
// idempotency_mismatch.
func (c *Client) CreatePlan(ctx context.Context, request PlanRequest, opts ...CallOption) (*Plan, error) {
	d := draft{key: rand.Text()}
	for _, o := range opts {
		o.applyTask(&d)
	}
	var f faults
	f.key(d.key)
	f = append(f, faultsIn(request.Validate())...)
	if err := f.err(); err != nil {
		return nil, err
	}
	return answered[Plan](ctx, c, call{method: http.MethodPost, url: c.address(nil, "v1", "plans"), body: request, key: d.key, repeatable: true})
}

// GetPlan answers a plan as it stands.
func (c *Client) GetPlan(ctx context.Context, id string) (*Plan, error) {
	if err := checkID("plan", id); err != nil {
		return nil, err
	}
	return answered[Plan](ctx, c, call{method: http.MethodGet, url: c.planURL(nil, id), repeatable: true})
}

// WaitForPlan waits until the plan has ended and answers it, however it ended: a failed or cancelled plan is not an error of the call,
// [Plan.Err] says what became of it. It outlives restarts of the service as [Client.WaitForTask] does, until ctx ends. Then the error wraps
// the context's and the plan is the last one seen, or nil. [Client.PlanEvents] shows what happens meanwhile.
func (c *Client) WaitForPlan(ctx context.Context, id string) (*Plan, error) {
	if err := checkID("plan", id); err != nil {
		return nil, err
	}
	return c.lookAtPlan(id).end(ctx)
}

// CancelPlan asks for a plan and everything below it to be stopped, and answers it as it then stands, which may still be running: the
// agents of its tasks are given time to stop, and [Client.WaitForPlan] sees the end. Cancelling a plan that has ended changes nothing. The
// call is sent once; repeating it is harmless.
func (c *Client) CancelPlan(ctx context.Context, id, reason string) (*Plan, error) {
	if err := checkID("plan", id); err != nil {
		return nil, err
	}
	body := cancellation{reason}
	if err := body.validate(); err != nil {
		return nil, err
	}
	return answered[Plan](ctx, c, call{method: http.MethodPost, url: c.planURL(nil, id, "cancel"), body: body})
}

// ListPlans answers one page of the plans that the filter chooses: the first with cursor "", the one after a page with its NextCursor and
// the same filter. A plan that ends between two pages can be on both. [Client.Plans] turns the pages itself.
func (c *Client) ListPlans(ctx context.Context, filter PlanFilter, cursor string) (*PlanPage, error) {
	if err := filter.Validate(); err != nil {
		return nil, err
	}
	cl := call{method: http.MethodGet, url: c.address(filter.query(cursor), "v1", "plans"), repeatable: true}
	return answered[PlanPage](ctx, c, cl)
}

// Plans answers every plan that the filter chooses, each once, page after page as they are asked for. A list follows what happens within
// about a second and leaves out outputs; [Client.GetPlan] is current and whole. An error ends it. It remembers the id of each plan it has
// answered until it ends.
func (c *Client) Plans(ctx context.Context, filter PlanFilter) iter.Seq2[*Plan, error] {
	return eachOnce(pages("plans", func(cursor string) ([]Plan, string, error) {
		page, err := c.ListPlans(ctx, filter, cursor)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.NextCursor, nil
	}), func(p *Plan) string { return p.ID })
}

// Err is nil while the plan runs and when it completed; a failed or cancelled one answers a [*TaskError] that says why.
func (p *Plan) Err() error {
	switch {
	case p.Status != StatusFailed && p.Status != StatusCancelled:
		return nil
	case p.Error != nil:
		return p.Error
	case p.Status == StatusCancelled:
		return &TaskError{Code: CodeCancelled, Message: "the plan was cancelled"}
	default:
		return &TaskError{Code: CodeStepFailed, Message: "the plan failed without saying why"}
	}
}

// Step answers a step of the plan by its id, or nil.
func (p *Plan) Step(id string) *Step {
	for i := range p.Steps {
		if p.Steps[i].ID == id {
			return &p.Steps[i]
		}
	}
	return nil
}

// query is the filter as parameters of the API.
func (f PlanFilter) query(cursor string) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"status": string(f.Status), "cursor": cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

func (c *Client) planURL(query url.Values, id string, rest ...string) string {
	return c.address(query, append([]string{"v1", "plans", id}, rest...)...)
}
