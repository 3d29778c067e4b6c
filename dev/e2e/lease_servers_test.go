package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/internal/loopback"
	"github.com/rolecall-dev/rolecall/sdk"
)

// roundRobin sends one request to one server, the next one to the next.
type roundRobin struct {
	hosts []string
	turn  atomic.Int64
}

func (r *roundRobin) RoundTrip(req *http.Request) (*http.Response, error) {
	there := req.Clone(req.Context())
	there.URL.Host = r.hosts[int(r.turn.Add(1))%len(r.hosts)]
	there.Host = there.URL.Host
	return http.DefaultTransport.RoundTrip(there)
}

// secondAPI starts another API of the stack, with the same sealing keys, and a client that goes to both in turn.
func secondAPI(t *testing.T, stack *dev.Stack) (*dev.Process, func(project string) *sdk.Client) {
	t.Helper()
	path, err := dev.Build(t.Context(), dev.Rolecall)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := loopback.Reserve(loopback.Host + ":0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := stack.Start(t.Context(), dev.Command{
		Name: "api-2", Path: path, Args: []string{"serve", "--api"}, Env: []string{"ROLECALL_ADDR=" + addr.String()},
		Ready: func(ctx context.Context, _ dev.Run) error {
			return dev.AnswersOK(ctx, "http://"+addr.String()+"/readyz")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	first, err := url.Parse(stack.URL())
	if err != nil {
		t.Fatal(err)
	}
	return p, func(project string) *sdk.Client {
		c, err := sdk.NewClient(sdk.Config{
			URL: stack.URL(), ProjectID: project, HTTPClient: &http.Client{Transport: &roundRobin{hosts: []string{addr.String(), first.Host}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// Any server serves any lease: what one was told the other knows, and an answer that one took is known to the other. With one of them
// killed under load each task is completed once all the same.
func TestTwoServersShareLeases(t *testing.T) {
	t.Parallel()
	stack := ownStack(t)
	second, both := secondAPI(t, stack)
	s := newScene(t, stack)
	client := both(s.project)
	ctx := t.Context()
	claim := func() (lease *sdk.Lease) {
		s.eventually("claimed", patience, func() (err error) {
			if lease, err = client.Claim(ctx, sdk.RoleCoder, sdk.ClaimRequest{AgentID: "ada", WaitMs: 10_000}); err == nil && lease == nil {
				err = errors.New("no task yet")
			}
			return err
		})
		return lease
	}
	task := s.delegate(script{}, func(r *sdk.TaskRequest) { r.Timeouts = nil })
	lease := claim()
	percentage := 30.0
	for _, word := range []sdk.LeaseProgress{
		{Resume: json.RawMessage(`{"page":1}`)}, {Percentage: &percentage, Phase: "reading"}, {Resume: json.RawMessage(`{"page":2}`)}, {}, {},
	} {
		_, err := client.ReportLease(ctx, lease.Token, word)
		s.do(err)
	}
	failure := sdk.LeaseFailure{Error: sdk.LeaseError{Code: "again", Message: "once more"}}
	for range 3 { // by one server, then the other
		s.do(client.FailLease(ctx, lease.Token, failure))
	}
	again := claim()
	if string(again.Resume) != `{"page":2}` || again.Attempt != 2 || again.Task.Progress == nil || again.Task.Progress.Phase != "reading" {
		t.Errorf("attempt %d goes on from %s, progress %+v", again.Attempt, again.Resume, again.Task.Progress)
	}
	for range 3 {
		s.do(client.CompleteLease(ctx, again.Token, sdk.LeaseResult{Output: json.RawMessage(`1`)}))
	}
	if done := s.ended(task.ID); done.Status != sdk.StatusCompleted {
		t.Errorf("the task ended as %s: %s", done.Status, chain(done))
	}
	s.crowdOverHTTP(client, *httpAgents, *many, func() {
		if err := second.Kill(); err != nil {
			t.Error(err)
		}
	})
}
