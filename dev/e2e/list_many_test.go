package e2e_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// many is how many tasks wait in the tests of large numbers.
var many = flag.Int("many", 200, "how many tasks wait in the tests of large numbers; make soak has 10000")

// crowdOf is the request of the n-th of many tasks: every kind in about the same measure, and nobody works for any of them.
func crowdOf(n int) sdk.TaskRequest {
	return sdk.TaskRequest{
		Title:    fmt.Sprintf("many %d", n),
		Role:     []sdk.Role{sdk.RoleTester, sdk.RoleReviewer}[n%2],
		Type:     []sdk.TaskType{sdk.TypeCodeTest, sdk.TypeCodeReview, sdk.TypeCodeRefactor}[n/2%3],
		Priority: []sdk.Priority{sdk.PriorityLow, sdk.PriorityMedium, sdk.PriorityHigh, sdk.PriorityCritical}[n/6%4],
		AgentID:  []string{"", "bob"}[n/24%2],
	}
}

// create makes n tasks with 50 callers at once and answers their ids in the order of their numbers.
func (s *scene) create(client *sdk.Client, n int, request func(n int) sdk.TaskRequest) []string {
	s.t.Helper()
	ids, numbers := make([]string, n), make(chan int)
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			for i := range numbers {
				task, err := client.CreateTask(s.t.Context(), request(i))
				if err != nil {
					s.t.Errorf("task %d: %v", i, err)
					continue
				}
				ids[i] = task.ID
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	callers.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
	return ids
}

// pages is what a client was answered when it asked for lists: how long each page took, and every id in it, repeats too.
type pages struct {
	took []time.Duration
	ids  []string
}

// RoundTrip is of one goroutine.
func (p *pages) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || r.URL.Path != "/v1/tasks" {
		return resp, err
	}
	raw, err := io.ReadAll(resp.Body)
	p.took = append(p.took, time.Since(began))
	var page sdk.TaskPage
	if err := errors.Join(err, resp.Body.Close(), json.Unmarshal(raw, &page)); err != nil {
		return nil, err
	}
	for _, item := range page.Items {
		p.ids = append(p.ids, item.ID)
	}
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	return resp, nil
}

// quantile is of the pages' times.
func (p *pages) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(p.took))
	return sorted[int(q*float64(len(sorted)-1))].Round(100 * time.Microsecond)
}

// bustle creates and finishes tasks while others are listed: the even ones are completed by a worker, the odd ones cancelled. For each
// that it makes it cancels one of those that were listed before, and waits for that one to be listed.
type bustle struct {
	s         *scene
	fresh     []string    // what it made
	ended     chan string // of the first ones: what it may cancel
	cancelled []string    // of the first ones
	done      atomic.Int64

	mu sync.Mutex
}

// make makes and finishes n tasks with ten callers.
func (b *bustle) make(n int) {
	var callers sync.WaitGroup
	for caller := range 10 {
		callers.Go(func() {
			for i := caller; i < n; i += 10 {
				if err := b.one(i); err != nil {
					b.s.t.Errorf("bustle %d: %v", i, err)
				}
				b.done.Add(1)
			}
		})
	}
	callers.Wait()
}

func (b *bustle) one(i int) error {
	ctx, client := b.s.t.Context(), b.s.client
	first, listed := <-b.ended
	if !listed {
		return errors.New("nothing was listed that it could cancel")
	}
	role := []sdk.Role{sdk.RoleCoder, sdk.RoleTester}[i%2]
	task, err := client.CreateTask(ctx, sdk.TaskRequest{Type: sdk.TypeCodeWrite, Role: role, Title: fmt.Sprintf("bustle %d", i)})
	if err != nil {
		return err
	}
	if i%2 == 1 {
		if _, err := client.CancelTask(ctx, task.ID, ""); err != nil {
			return err
		}
	}
	if _, err := client.CancelTask(ctx, first, ""); err != nil {
		return err
	}
	want := []sdk.Status{sdk.StatusCompleted, sdk.StatusCancelled}[i%2]
	if task, err = client.WaitForTask(ctx, task.ID); err == nil && task.Status != want {
		err = fmt.Errorf("it is %s, want %s", task.Status, want)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh = append(b.fresh, task.ID)
	b.cancelled = append(b.cancelled, first)
	return err
}

// TestManyTasksByPages turns the pages of many tasks while more are created and finished, and some of those that were listed are
// cancelled and so move to another page.
func TestManyTasksByPages(t *testing.T) {
	t.Parallel()
	s := newScene(t, dev.ForTest(t, dev.Options{}))
	began := time.Now()
	ids := s.create(s.client, *many, crowdOf)
	created := time.Since(began)
	s.countsOpen(len(ids))
	s.inProcess("ann", 10, sdk.HandlerFunc(doneAtOnce))

	more, size := *many/20, min(sdk.MaxPage, *many/20)
	b := &bustle{s: s, ended: make(chan string, len(ids))}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		b.make(more)
	}()
	enough := sync.OnceFunc(func() { // whatever happens, it ends before the test does
		close(b.ended)
		<-finished
	})
	defer enough()
	raw := &pages{}
	client, err := sdk.NewClient(sdk.Config{URL: s.stack.URL(), ProjectID: s.project, HTTPClient: &http.Client{Transport: raw}})
	s.do(err)
	missing := map[string]bool{}
	for _, id := range ids {
		missing[id] = true
	}
	seen := map[string]bool{}
	for task, err := range client.Tasks(t.Context(), sdk.TaskFilter{Limit: size}) {
		s.do(err)
		if seen[task.ID] {
			t.Errorf("%q came twice", task.Title)
		}
		seen[task.ID] = true
		if missing[task.ID] {
			delete(missing, task.ID)
			b.ended <- task.ID
		}
		// Each page waits for its share of the bustle, so that all of it happens between pages.
		if share := int64(len(seen) / size * more / (len(ids) / size)); len(seen)%size == 0 {
			s.eventually("the bustle", patience, func() error { return atLeast(int(min(share, int64(more))), int(b.done.Load())) })
		}
	}
	enough()
	if len(missing) > 0 {
		t.Errorf("%d of the first %d were missing", len(missing), len(ids))
	}
	repeats := len(raw.ids) - len(seen)
	if len(raw.took) < len(ids)/size || len(b.fresh) != more || len(b.cancelled) != more || repeats == 0 {
		t.Errorf("%d pages, %d created and finished meanwhile, %d of the first cancelled, %d repeats: that shows nothing", len(raw.took), len(b.fresh), len(b.cancelled), repeats)
	}
	t.Logf("%d tasks created by 50 callers in %s; %d pages of %d, p50 %s, p99 %s; meanwhile %d created and finished, %d of the first cancelled: %d missing, %d repeats in the raw pages, none through the iterator",
		len(ids), created.Round(time.Millisecond), len(raw.took), size, raw.quantile(0.5), raw.quantile(0.99), len(b.fresh), len(b.cancelled), len(missing), repeats)
	s.everyFilter(ids, b)
}

// everyFilter lists by each filter and compares with what was handed out.
func (s *scene) everyFilter(ids []string, b *bustle) {
	s.t.Helper()
	began := time.Now()
	choose := func(keep func(sdk.TaskRequest) bool, list ...string) []string {
		for n, id := range ids {
			if keep(crowdOf(n)) {
				list = append(list, id)
			}
		}
		return list
	}
	var completed, cancelled []string
	for _, id := range b.fresh {
		task, err := s.client.GetTask(s.t.Context(), id)
		s.do(err)
		if task.Status == sdk.StatusCompleted {
			completed = append(completed, id)
		} else {
			cancelled = append(cancelled, id)
		}
	}
	open := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(b.cancelled, id) })
	last, err := s.client.CreateTask(s.t.Context(), sdk.TaskRequest{Type: sdk.TypeResearchCodebase, Title: "the last"})
	s.do(err)
	filters := map[string]struct {
		filter sdk.TaskFilter
		want   []string
	}{
		"all":       {sdk.TaskFilter{}, slices.Concat(ids, b.fresh, []string{last.ID})},
		"role":      {sdk.TaskFilter{Role: sdk.RoleReviewer}, choose(func(r sdk.TaskRequest) bool { return r.Role == sdk.RoleReviewer })},
		"type":      {sdk.TaskFilter{Type: sdk.TypeCodeRefactor}, choose(func(r sdk.TaskRequest) bool { return r.Type == sdk.TypeCodeRefactor })},
		"priority":  {sdk.TaskFilter{Priority: "urgent"}, choose(func(r sdk.TaskRequest) bool { return r.Priority == sdk.PriorityCritical })},
		"agentId":   {sdk.TaskFilter{AgentID: "bob"}, choose(func(r sdk.TaskRequest) bool { return r.AgentID == "bob" })},
		"open":      {sdk.TaskFilter{Status: sdk.StatusOpen}, append(slices.Clone(open), last.ID)},
		"queued":    {sdk.TaskFilter{Status: sdk.StatusQueued}, append(slices.Clone(open), last.ID)},
		"cancelled": {sdk.TaskFilter{Status: sdk.StatusCancelled}, slices.Concat(b.cancelled, cancelled)},
		"completed": {sdk.TaskFilter{Status: sdk.StatusCompleted}, completed},
		"failed":    {sdk.TaskFilter{Status: sdk.StatusFailed}, nil},
		"running":   {sdk.TaskFilter{Status: sdk.StatusRunning}, nil},
		"asked":     {sdk.TaskFilter{Status: sdk.StatusInputRequired}, nil},
		"since":     {sdk.TaskFilter{Since: last.CreatedAt}, []string{last.ID}},
		"parentId":  {sdk.TaskFilter{ParentID: ids[0]}, nil},
		"sessionId": {sdk.TaskFilter{SessionID: "s"}, nil},
		"planId":    {sdk.TaskFilter{PlanID: "p"}, nil},
		"all of them": {
			sdk.TaskFilter{Role: sdk.RoleTester, Type: sdk.TypeCodeTest, Priority: sdk.PriorityLow, AgentID: "bob", Status: sdk.StatusOpen, Since: time.Unix(0, 0)},
			slices.DeleteFunc(choose(func(r sdk.TaskRequest) bool {
				return r.Role == sdk.RoleTester && r.Type == sdk.TypeCodeTest && r.Priority == sdk.PriorityLow && r.AgentID == "bob"
			}), func(id string) bool { return slices.Contains(b.cancelled, id) }),
		},
	}
	for name, f := range filters {
		f.filter.Limit = sdk.MaxPage
		s.listed(name, f.filter, f.want...)
	}
	s.t.Logf("%d filters in %s; by role %d, by type %d, by priority %d, by agent %d", len(filters), time.Since(began).Round(time.Millisecond),
		len(filters["role"].want), len(filters["type"].want), len(filters["priority"].want), len(filters["agentId"].want))
}

// countsOpen waits until the list, which follows, has as many open tasks.
func (s *scene) countsOpen(want int) {
	s.t.Helper()
	s.eventually("the list", patience, func() error {
		n := 0
		for _, err := range s.client.Tasks(s.t.Context(), sdk.TaskFilter{Status: sdk.StatusOpen, Limit: sdk.MaxPage}) {
			if err != nil {
				return dev.GiveUp(err)
			}
			n++
		}
		if c := cmp.Compare(n, want); c != 0 {
			return fmt.Errorf("%d are listed, want %d", n, want)
		}
		return nil
	})
}
