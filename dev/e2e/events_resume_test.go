package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestCutStreamsResume follows five tasks while they run, over bare HTTP as curl -N does. Each stream is cut 50 times, after a random time or in the middle
// of what is sent, and resumed with the id of the last whole event: every event comes once, in order, and is what the log has.
func TestCutStreamsResume(t *testing.T) {
	t.Parallel()
	const tasks = 5
	random := newChance(t)
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{Slots: tasks})
	var followers []*cutFollower
	for n := range tasks {
		task := s.delegate(script{"*": {"progress:10", "fail:flaky:retryable"}, "0.25": {"progress:90", "until:end", `result:"done"`}},
			func(r *sdk.TaskRequest) {
				r.Retry = &sdk.Retry{MaxAttempts: 30, InitialIntervalMs: 100, BackoffCoefficient: 1}
			})
		followers = append(followers, &cutFollower{
			scene: s, task: task.ID, random: random.source(n), client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
			places: map[string]bool{},
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var cutting, following sync.WaitGroup
	for _, f := range followers {
		cutting.Add(1)
		following.Go(func() {
			err := f.beCut(ctx)
			cutting.Done()
			if err == nil {
				err = f.connect(ctx, math.MaxInt64) // to the end
			}
			if err != nil && !errors.Is(err, errEnded) {
				t.Errorf("task %s after %d cuts and %d events: %v", f.task, f.cuts, len(f.events), err)
			}
		})
	}
	cutting.Wait()
	s.touch("end")
	following.Wait()
	kept := s.kept()
	for _, f := range followers {
		f.check(kept)
	}
}

const (
	cutsEach  = 50   // cuts of one stream
	placesMin = 20   // and the events after which some were made
	cutBytes  = 2000 // a connection brings at most so much, about three events
	cutAfter  = 200 * time.Millisecond
)

var (
	errCut   = errors.New("cut")
	errEnded = errors.New("the stream ended after the terminal event")
)

// cutFollower follows a task over connections that are cut.
type cutFollower struct {
	*scene
	task   string
	random *rand.Rand
	client *http.Client

	last   string // the id of the last whole event
	events []sdk.Event
	cuts   int
	middle int             // of the cuts were in the middle of an event
	places map[string]bool // after which events there were cuts
}

// beCut follows until the stream was cut often enough, all over the story.
func (f *cutFollower) beCut(ctx context.Context) error {
	for f.cuts < cutsEach || len(f.places) < placesMin {
		short, cancel := context.WithTimeout(ctx, time.Duration(f.random.Int64N(int64(busy(cutAfter)))))
		err := f.connect(short, 1+f.random.Int64N(cutBytes))
		cancel()
		if !errors.Is(err, errCut) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		f.cuts++
		f.places[f.last] = true
	}
	return nil
}

// connect reads until the stream ends, or is cut by the end of ctx or after so many bytes. It never answers nil.
func (f *cutFollower) connect(ctx context.Context, bytes int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.stack.URL()+"/v1/tasks/"+f.task+"/events", http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Rolecall-Project", f.project)
	if f.last != "" {
		req.Header.Set("Last-Event-ID", f.last)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return f.ended(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // which is the cut
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		return fmt.Errorf("the stream answers %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	body := &io.LimitedReader{R: resp.Body, N: bytes}
	lines := bufio.NewReader(body)
	for frame := map[string]string{}; ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			if len(frame) > 0 || line != "" {
				f.middle++
			}
			if body.N == 0 {
				return errCut
			}
			return f.ended(ctx, err)
		}
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			name, value, _ := strings.Cut(line, ":")
			frame[name] = strings.TrimPrefix(value, " ")
			continue
		}
		if err := f.take(frame); err != nil {
			return err
		}
		clear(frame)
	}
}

// ended is why a connection ended.
func (f *cutFollower) ended(ctx context.Context, err error) error {
	n := len(f.events)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		return errCut
	case errors.Is(err, io.EOF) && n > 0 && f.events[n-1].Type == sdk.EventTaskCompleted:
		return errEnded
	default:
		return err
	}
}

// take takes a whole event; comments, whose name is empty, say nothing.
func (f *cutFollower) take(frame map[string]string) error {
	if frame["data"] == "" {
		return nil
	}
	var e sdk.Event
	if err := json.Unmarshal([]byte(frame["data"]), &e); err != nil {
		return fmt.Errorf("%v: %w", frame, err)
	}
	if frame["event"] != string(e.Type) || frame["id"] != e.Sequence || e.Sequence == "" {
		return fmt.Errorf("an event reads %v", frame)
	}
	f.events, f.last = append(f.events, e), e.Sequence
	return nil
}

// check compares what came with what the log has of the task, up to its end.
func (f *cutFollower) check(kept []sdk.Event) {
	f.t.Helper()
	var want []sdk.Event
	for _, e := range kept {
		if e.Task == f.task {
			want = append(want, e)
			if e.Type == sdk.EventTaskCompleted {
				break
			}
		}
	}
	for i, e := range want {
		if e.Seq != i+1 {
			f.t.Errorf("task %s: event %d of the log has seq %d: %+v", f.task, i+1, e.Seq, e)
		}
	}
	if diff := cmp.Diff(want, f.events); diff != "" {
		f.t.Errorf("task %s: its log (-) and what came over %d cuts (+):\n%s", f.task, f.cuts, diff)
	}
	f.t.Logf("task %s: %d events, %d cuts after %d of them, %d cuts in the middle of one", f.task, len(f.events), f.cuts, len(f.places), f.middle)
}

// kept is what the log has of the project, oldest first.
func (s *scene) kept() []sdk.Event {
	s.t.Helper()
	var list []sdk.Event
	for e, err := range s.client.Events(s.t.Context(), sdk.EventFilter{FromStart: true, Limit: sdk.MaxPage}) {
		s.do(err)
		list = append(list, *e)
	}
	return list
}
