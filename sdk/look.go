package sdk

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// waitSlice is how long the service is asked to hold one wait: under the minute after which proxies cut a silent connection.
const waitSlice = 30 * time.Second

// look looks at one thing, a task or a plan, again and again.
type look[T any] struct {
	client *Client
	name   string   // as errors have it
	path   []string // of the thing
	over   func(*T) bool
	retry  backoff
	last   *T    // the newest answer
	failed error // why there was no newer one
}

func (c *Client) lookAtTask(id string) *look[Task] {
	return newLook(c, "task", id, func(t *Task) bool { return t.Status.Terminal() })
}

func (c *Client) lookAtPlan(id string) *look[Plan] {
	return newLook(c, "plan", id, func(p *Plan) bool { return p.Status.Terminal() })
}

func newLook[T any](c *Client, what, id string, over func(*T) bool) *look[T] {
	return &look[T]{
		client: c, name: what + " " + id, path: []string{"v1", what + "s", id}, over: over,
		retry: backoff{initial: 100 * time.Millisecond, limit: c.pollingInterval()},
	}
}

// end waits until the thing has ended and answers it.
func (l *look[T]) end(ctx context.Context) (*T, error) {
	for {
		asked := time.Now()
		thing, err := l.next(ctx, waitSlice)
		if err != nil || l.over(thing) {
			return thing, err
		}
		// An answer before its time comes from a service that is stopping, or from one that does not hold waits.
		if time.Since(asked) < waitSlice/2 {
			if stopped := sleep(ctx, l.client.pollingInterval()); stopped != nil {
				return thing, l.stopped(stopped)
			}
		}
	}
}

// next answers the thing as soon as it has ended, or as it stands after about wait. It tries until somebody answers or ctx ends.
func (l *look[T]) next(ctx context.Context, wait time.Duration) (*T, error) {
	for {
		if err := ctx.Err(); err != nil {
			return l.last, l.stopped(err)
		}
		cl := call{method: http.MethodGet, wait: wait}
		if deadline, ok := ctx.Deadline(); ok {
			cl.wait = max(min(wait, time.Until(deadline)*9/10), 0) // so that the answer is here before ctx ends
		}
		var query url.Values
		if ms := cl.wait.Milliseconds(); ms > 0 {
			query = url.Values{"waitMs": {strconv.FormatInt(ms, 10)}}
		}
		cl.url = l.client.address(query, l.path...)
		thing := new(T)
		err := l.client.do(ctx, cl, thing)
		if err == nil {
			l.last, l.failed = thing, nil
			l.retry.reset()
			return l.last, nil
		}
		if ended := ctx.Err(); ended != nil {
			return l.last, l.stopped(ended)
		}
		if !transient(err) {
			return l.last, err
		}
		l.failed = err
		pause, _ := l.retry.next(err) // an impatient caller has a deadline in ctx
		if stopped := sleep(ctx, pause); stopped != nil {
			return l.last, l.stopped(stopped)
		}
	}
}

// stopped is the error of a wait whose context ended, with what kept it from an answer.
func (l *look[T]) stopped(err error) error {
	if l.failed != nil {
		return fmt.Errorf("waiting for %s: %w (last: %w)", l.name, err, l.failed)
	}
	return fmt.Errorf("waiting for %s: %w", l.name, err)
}
