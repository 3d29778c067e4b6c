package e2e_test

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestManyTasksAreWaitedForByTheLog: while their tasks run, callers cost Temporal no long poll; each end costs one.
func TestManyTasksAreWaitedForByTheLog(t *testing.T) {
	t.Parallel()
	const tasks, callers, rounds = 50, 500, 4
	s := newScene(t, sharedStack(t))
	log, err := eventlog.Open(t.Context(), eventlog.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	s.do(err)
	t.Cleanup(func() { s.do(log.Close()) })
	var ids []string
	for range tasks {
		task, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeResearchCodebase, Title: "waits for nobody"})
		s.do(err)
		ids = append(ids, task.ID)
	}
	for name, events := range map[string]*eventlog.Log{"without": nil, "with": log} {
		var counted reads
		url, _ := serveHere(t, s.stack, &counted, engine.Config{Events: events})
		c, err := sdk.NewClient(sdk.Config{URL: url, ProjectID: s.project, HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}})
		s.do(err)
		// The first rounds may come before the log is followed, or while this machine is too busy to follow it.
		polls := int64(0)
		for range rounds {
			before := counted.polls.Load()
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			var waiting sync.WaitGroup
			for i := range callers {
				waiting.Go(func() { _, _ = c.WaitForTask(ctx, ids[i%tasks]) }) // none ends meanwhile
			}
			waiting.Wait()
			cancel()
			t.Logf("after 8 s %s a log: %s", name, &counted)
			if polls = counted.polls.Load() - before; polls == 0 || events == nil {
				break
			}
		}
		if (polls == 0) != (events != nil) {
			t.Errorf("%d long polls in 8 s %s a log", polls, name)
		}
	}
	for _, id := range ids {
		s.cancel(id)
	}
}
