package sdk

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
)

// CreateTask hands a task out. The request is validated before it is sent, with the same [TaskRequest.Validate] as the
// service's. An idempotency key is made unless [IdempotencyKey] gives one: however often the call has to be repeated, it is one
// task. A key that was used before answers the task of then; with another request it is an error of code idempotency_mismatch.
func (c *Client) CreateTask(ctx context.Context, request TaskRequest, opts ...CallOption) (*Task, error) {
	d := draft{request: request, key: rand.Text()}
	for _, o := range opts {
		o.applyTask(&d)
	}
	return c.create(ctx, d)
}

// RequestCode hands out a task of type code.write.
func (c *Client) RequestCode(ctx context.Context, title string, opts ...TaskOption) (*Task, error) {
	return c.DelegateToRole(ctx, "", TypeCodeWrite, title, opts...)
}

// DelegateToRole hands out a task of any type to a role; role "" is the type's own.
func (c *Client) DelegateToRole(ctx context.Context, role Role, kind TaskType, title string, opts ...TaskOption) (*Task, error) {
	d := draft{request: TaskRequest{Type: kind, Role: role, Title: title}, key: rand.Text()}
	for _, o := range opts {
		o.applyTask(&d)
	}
	return c.create(ctx, d)
}

func (c *Client) create(ctx context.Context, d draft) (*Task, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	return answered[Task](ctx, c, call{
		method: http.MethodPost, url: c.address(nil, "v1", "tasks"), body: d.request, key: d.key, repeatable: true,
	})
}

// GetTask answers a task as it stands.
func (c *Client) GetTask(ctx context.Context, id string) (*Task, error) {
	if err := checkID("task", id); err != nil {
		return nil, err
	}
	return answered[Task](ctx, c, call{method: http.MethodGet, url: c.taskURL(id), repeatable: true})
}

// CancelTask asks for a task to be stopped and answers it as it then stands, which may still be running: the agent is given time
// to stop, and [Client.WaitForTask] sees the end. Cancelling a task that has ended changes nothing. The call is sent once;
// repeating it is harmless.
func (c *Client) CancelTask(ctx context.Context, id, reason string) (*Task, error) {
	if err := checkID("task", id); err != nil {
		return nil, err
	}
	body := cancellation{reason}
	if err := body.validate(); err != nil {
		return nil, err
	}
	return answered[Task](ctx, c, call{method: http.MethodPost, url: c.taskURL(id, "cancel"), body: body})
}

// RetryTask hands a finished task out anew: a new task of the same request, with RetryOf. One that has not ended is an error of code
// conflict. As with [Client.CreateTask] an idempotency key is made unless [IdempotencyKey] gives one.
func (c *Client) RetryTask(ctx context.Context, id string, opts ...CallOption) (*Task, error) {
	if err := checkID("task", id); err != nil {
		return nil, err
	}
	d := draft{key: rand.Text()}
	for _, o := range opts {
		o.applyTask(&d)
	}
	var f faults
	f.key(d.key)
	if err := f.err(); err != nil {
		return nil, err
	}
	return answered[Task](ctx, c, call{
		method: http.MethodPost, url: c.taskURL(id, "retry"), body: struct{}{}, key: d.key, repeatable: true,
	})
}

// ProvideInput answers a task's open question. requestID is [InputRequest.ID]; answer is any value that can be written as JSON
// (a [json.RawMessage] is sent as it is). An answer that does not meet the question's schema is an error of code invalid_input,
// a question that is not open one of code conflict. The call is sent once; repeating it with the same answer is harmless.
func (c *Client) ProvideInput(ctx context.Context, id, requestID string, answer any) (*Task, error) {
	if err := checkID("task", id); err != nil {
		return nil, err
	}
	raw, err := encode(answer)
	var f faults
	switch {
	case requestID == "":
		f.add("$.requestId", "is required")
	case !ValidID(requestID):
		f.add("$.requestId", "must be the id of the question, as inputRequest.id has it")
	}
	if err != nil {
		f.add("$.answer", "can not be written as JSON: %v", err)
	}
	f.json("$.answer", raw, MaxAnswer)
	if err := f.err(); err != nil {
		return nil, err
	}
	body := struct {
		RequestID string          `json:"requestId"`
		Answer    json.RawMessage `json:"answer"`
	}{requestID, raw}
	return answered[Task](ctx, c, call{method: http.MethodPost, url: c.taskURL(id, "input"), body: body})
}

// Progress answers what was recorded of a task's progress, oldest first: the first entries and the newest ones.
func (c *Client) Progress(ctx context.Context, id string) ([]Progress, error) {
	if err := checkID("task", id); err != nil {
		return nil, err
	}
	var page struct {
		Items []Progress `json:"items"`
	}
	if err := c.do(ctx, call{method: http.MethodGet, url: c.taskURL(id, "progress"), repeatable: true}, &page); err != nil {
		return nil, err
	}
	return page.Items, nil
}

func (c *Client) taskURL(id string, rest ...string) string {
	return c.address(nil, append([]string{"v1", "tasks", id}, rest...)...)
}
