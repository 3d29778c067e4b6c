package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

func pointer[T any](v T) *T { return &v }

// completing is an agent that just completes.
func completing() sdk.Handler { return sdktest.Script(sdktest.Attempt().Complete("done")) }

func completes(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Progress(40, "reading").Progress(90, "writing").Result(sdk.Result{
		Output:            json.RawMessage(`{"files":["login.go"],"<&>":true}`),
		Metrics:           sdk.Metrics{DurationMs: 12, TokensUsed: pointer[int64](30), InputTokens: pointer[int64](20), OutputTokens: pointer[int64](10), CostUSD: pointer(0.25)},
		Model:             "small",
		QualityGatePassed: pointer(true),
		QualityGate:       json.RawMessage(`{"coverage":0.9}`),
		Reflection:        json.RawMessage(`"it went well"`),
		EpisodeRefs:       []string{"e-1"},
	})))
	task := s.delegate(func(r *sdk.TaskRequest) {
		*r = sdk.TaskRequest{
			Type: sdk.TypeCodeWrite, Title: "Add a login page", Description: "With a form.", Input: json.RawMessage(`{"path":"login.go","n":1.0}`),
			Priority: "urgent", Metadata: map[string]string{"team": "web"}, CorrelationID: "c-1", FairnessKey: "web",
		}
	})
	s.like("completes", s.ended(task.ID))
}

func keepsOutput(s *scene) {
	const output = `{"one":1.0,"large":12345678901234567890,"tiny":1e-400,"text":"<é>"}`
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Result(sdk.Result{Output: json.RawMessage(output)})))
	if got := s.ended(s.delegate().ID); string(got.Result.Output) != output {
		s.Errorf("the output became %s", got.Result.Output)
	}
}

func retries(s *scene) {
	given := make(chan sdk.Assignment, 10)
	work := sdktest.Script(
		sdktest.Attempt().Progress(30, "reading").Resume(map[string]int{"line": 7}).Fail(errors.New("the build is red")),
		sdktest.Attempt().Fail(sdk.Retryable("model_busy", errors.New("try later"))),
		sdktest.Attempt().Complete("done"),
	)
	s.Agent(sdk.RoleCoder, "ann", sdk.HandlerFunc(func(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
		given <- *a
		return work.Handle(ctx, a, r)
	}))
	task := s.delegate()
	s.Pass(time.Second)
	s.like("retries", s.ended(task.ID))
	for _, want := range []struct{ resume, chain string }{{"", ""}, {`{"line":7}`, "0.1 failed agent_failed"}, {`{"line":7}`, "0.1 failed agent_failed, 0.2 failed model_busy"}} {
		a := <-given
		var ended []string
		for _, entry := range chain(&a.Task) {
			if !strings.HasSuffix(entry, " ") {
				ended = append(ended, entry)
			}
		}
		if string(a.Resume) != want.resume || strings.Join(ended, ", ") != want.chain || a.MaxAttempts != 3 || a.Deadline == nil {
			s.Errorf("attempt %d was given %s and the chain %q", a.Attempt, a.Resume, chain(&a.Task))
		}
	}
}

func failsForGood(s *scene) {
	failure := sdk.Final("not_allowed", errors.New("the branch is protected"))
	failure.Details = json.RawMessage(`{"branch":"main"}`)
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Fail(failure)))
	task := s.ended(s.delegate().ID)
	s.like("fails_for_good", task)
	if e, ok := errors.AsType[*sdk.TaskError](task.Err()); !ok || e.Code != "not_allowed" {
		s.Errorf("the task's error is %v", task.Err())
	}
}

func usesAttemptsUp(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Fail(errors.New("the build is red"))))
	task := s.delegate(func(r *sdk.TaskRequest) { r.Retry.MaxAttempts = 2 })
	s.Pass(time.Second)
	s.like("uses_attempts_up", s.ended(task.ID))
}

func panics(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Panic("out of ideas"), sdktest.Attempt().Complete("done")))
	task := s.delegate()
	s.Pass(time.Second)
	s.like("panics", s.ended(task.ID))
}

func fallsBack(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Progress(80, "writing").Fail(sdk.Final("", errors.New("too hard")))))
	s.Agent(sdk.RoleDebugger, "bob", sdktest.Script(sdktest.Attempt().Progress(20, "reading").Fail(errors.New("not yet")), sdktest.Attempt().Complete("done")))
	task := s.delegate(func(r *sdk.TaskRequest) {
		r.Fallback = []sdk.Stage{{Role: sdk.RoleDebugger, Model: "large", Retry: &sdk.Retry{MaxAttempts: 2}}, {Role: sdk.RolePlanner}}
	})
	s.Pass(time.Second)
	s.like("falls_back", s.ended(task.ID))
}

func hasFallbackAtWork(s *scene) {
	gate := sdktest.NewGate()
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Fail(sdk.Final("", errors.New("too hard")))))
	s.Agent(sdk.RoleDebugger, "bob", sdktest.Script(sdktest.Attempt().Progress(30, "reading").Until(gate).Complete("done")))
	task := s.delegate(func(r *sdk.TaskRequest) { r.Fallback = []sdk.Stage{{Role: sdk.RoleDebugger, Model: "large"}} })
	s.like("has_fallback_at_work", s.is(task.ID, "at 30", func(t *sdk.Task) bool { return t.Progress != nil }))
	gate.Open()
	s.ended(task.ID)
}

func fallsBackFromNobody(s *scene) {
	s.Agent(sdk.RoleDebugger, "bob", completing())
	task := s.delegate(func(r *sdk.TaskRequest) {
		r.Timeouts = &sdk.Timeouts{QueueMs: 1000}
		r.Fallback = []sdk.Stage{{Role: sdk.RoleDebugger, Timeouts: &sdk.StageTimeouts{QueueMs: 60_000}}}
	})
	s.Pass(time.Second)
	s.like("falls_back_from_nobody", s.ended(task.ID))
}

func isNotTaken(s *scene) {
	task := s.delegate(func(r *sdk.TaskRequest) { r.Timeouts = &sdk.Timeouts{QueueMs: 1000} })
	s.Pass(time.Second)
	s.like("is_not_taken", s.ended(task.ID))
}

func takesTooLong(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Resume("kept").UntilStopped(), sdktest.Attempt().Complete("done")))
	task := s.delegate(func(r *sdk.TaskRequest) { r.Timeouts = &sdk.Timeouts{AttemptMs: 1000, HeartbeatMs: 5000} })
	s.Pass(2 * time.Second)
	s.like("takes_too_long", s.ended(task.ID))
}

func hasNoTimeLeft(s *scene) {
	task := s.delegate(func(r *sdk.TaskRequest) {
		r.Timeouts = &sdk.Timeouts{TotalMs: 1000}
		r.Fallback = []sdk.Stage{{Role: sdk.RoleDebugger}}
	})
	s.Pass(time.Second)
	s.like("has_no_time_left", s.ended(task.ID))
}

func isInterrupted(s *scene) {
	stop := s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Resume("half").Progress(50, "writing").UntilStopped()))
	task := s.delegate()
	s.half(task.ID)
	stop()
	var resume json.RawMessage
	s.Agent(sdk.RoleCoder, "bob", sdk.HandlerFunc(func(_ context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		resume = a.Resume
		return &sdk.Result{}, nil
	}))
	s.like("is_interrupted", s.ended(task.ID))
	if string(resume) != `"half"` {
		s.Errorf("the second agent went on from %s", resume)
	}
}

func answersTooMuch(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Complete(strings.Repeat("x", sdk.MaxOutput))))
	task := s.ended(s.delegate().ID)
	s.chained(task, "0.1 failed payload_too_large")
	if task.Status != sdk.StatusFailed || task.Result.Error.Code != sdk.CodePayloadTooLarge {
		s.Errorf("the task is %s with %v", task.Status, task.Err())
	}
}

func addresses(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", completing())
	s.Agent(sdk.RoleCoder, "bob", completing())
	for range 3 {
		task := s.ended(s.delegate(func(r *sdk.TaskRequest) { r.AgentID = "bob" }).ID)
		if d := cmp.Diff("bob", task.AgentID); d != "" || task.Status != sdk.StatusCompleted {
			s.Errorf("%s by %s", task.Status, task.AgentID)
		}
	}
}

// needs lets tasks wait for an agent that has all that they need, addressed or not.
func needs(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", completing())
	s.Agent(sdk.RoleCoder, "bob", completing(), "go")
	task := s.delegate(func(r *sdk.TaskRequest) { r.Capabilities = []string{"go", "sql"} })
	if w := s.waits(task.ID, sdk.WaitingNoCapable).WaitingFor; !strings.Contains(w.Detail, "go, sql") {
		s.Errorf("it waits for %+v", w)
	}
	s.Agent(sdk.RoleCoder, "eve", completing(), "sql", "rust", "go")
	by := func(id, agent string) {
		s.Helper()
		got := s.ended(id)
		s.chained(got, "0.1 completed")
		if got.AgentID != agent {
			s.Errorf("%q has done it, want %q", got.AgentID, agent)
		}
	}
	by(task.ID, "eve")
	by(s.delegate(func(r *sdk.TaskRequest) { r.AgentID, r.Capabilities = "eve", []string{"go"} }).ID, "eve")
	lacks := s.delegate(func(r *sdk.TaskRequest) {
		r.AgentID, r.Capabilities, r.Timeouts = "bob", []string{"sql"}, &sdk.Timeouts{QueueMs: 1000}
	})
	s.Pass(time.Second)
	s.chained(s.ended(lacks.ID), "0.1 not_taken no_agent")
}
