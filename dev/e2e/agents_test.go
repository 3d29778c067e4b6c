package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// anotherAPI starts one more API server on the stack, and answers it with its address.
func anotherAPI(t *testing.T, stack *dev.Stack, name string) (p *dev.Process, url string) {
	t.Helper()
	path, err := dev.Build(t.Context(), dev.Rolecall)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	p, err = stack.Start(t.Context(), dev.Command{
		Name: name, Path: path, Args: []string{"serve", "--api", "--ready-file", file}, Env: []string{"ROLECALL_ADDR=127.0.0.1:0"},
		Ready: func(ctx context.Context, _ dev.Run) error {
			raw, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			var ready struct{ APIURL string }
			if err := json.Unmarshal(raw, &ready); err != nil {
				return err
			}
			url = ready.APIURL
			return dev.AnswersOK(ctx, url+"/readyz")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, url
}

// TestAgentsAreSeenAsTheyAre: with two API servers that watch, a role worker that is killed goes offline once, also when one of the servers is
// killed as well; an agent that registers and never asks for work shows as such; and doctor has words for both.
func TestAgentsAreSeenAsTheyAre(t *testing.T) {
	t.Parallel()
	stack, err := dev.Start(t.Context(), dev.Options{Env: []string{"ROLECALL_AGENT_HEARTBEAT_INTERVAL=5s"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("API: %s", stack.API.LogTail(40))
		}
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	s := newScene(t, stack)
	_, url := anotherAPI(t, stack, "api-2")
	other, err := sdk.NewClient(sdk.Config{URL: url, ProjectID: s.project})
	s.do(err)

	worker := s.worker("ann", dev.Worker{Slots: 2, Flags: []string{"--capability", "go,sql"}})
	s.agentIs(other, "ann", func(a *sdk.Agent) bool {
		return a.Status == sdk.AgentIdle && a.Polling && a.Role == sdk.RoleCoder && a.Slots == 2 && slices.Equal(a.Capabilities, []string{"go", "sql"})
	})
	s.mute(other, "mime")
	s.agentIs(s.client, "mime", func(a *sdk.Agent) bool { return a.Status == sdk.AgentIdle && !a.Polling })

	task := s.delegate(script{"*": {"touch:started", "until:go"}})
	s.appears("started")
	s.agentIs(other, "ann", func(a *sdk.Agent) bool {
		return a.Status == sdk.AgentBusy && slices.Equal(a.CurrentTasks, []string{task.ID})
	})
	waiting := s.delegate(nil, func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester })
	s.roleIs(other, sdk.RoleTester, func(r sdk.RoleState) bool { return r.Waiting == 1 && len(r.Pollers) == 0 && r.OldestMs > 0 })
	s.roleIs(other, sdk.RoleCoder, func(r sdk.RoleState) bool {
		return r.Agents == sdk.RoleAgents{Idle: 1, Busy: 1} && len(r.Pollers) == 1 && r.Pollers[0].Identity == "ann"
	})
	s.touch("go")
	s.completed(task.ID, "0.1 completed")
	s.agentIs(other, "ann", func(a *sdk.Agent) bool { return a.Status == sdk.AgentIdle && len(a.CurrentTasks) == 0 })

	killed := time.Now()
	s.do(worker.Kill())
	s.agentIs(s.client, "ann", func(a *sdk.Agent) bool { return a.Status == sdk.AgentOffline })
	s.doctorOfAgents()
	s.offlineOnce(other, "ann", killed)

	second := s.worker("bea", dev.Worker{})
	s.agentIs(s.client, "bea", func(a *sdk.Agent) bool { return a.Status == sdk.AgentIdle })
	s.do(stack.API.Kill())
	killed = time.Now()
	s.do(second.Kill())
	s.agentIs(other, "bea", func(a *sdk.Agent) bool { return a.Status == sdk.AgentOffline })
	s.do(stack.API.Restart(t.Context()))
	s.offlineOnce(s.client, "bea", killed)

	third := s.worker("cat", dev.Worker{})
	s.agentIs(s.client, "cat", func(a *sdk.Agent) bool { return a.Status == sdk.AgentIdle })
	s.do(third.Stop(t.Context()))
	s.agentIs(s.client, "cat", func(a *sdk.Agent) bool { return a.Status == sdk.AgentOffline })
	_, err = s.client.CancelTask(t.Context(), waiting.ID, "done")
	s.do(err)
}

// agentIs waits until a server shows an agent so.
func (s *scene) agentIs(client *sdk.Client, id string, so func(*sdk.Agent) bool) {
	s.t.Helper()
	s.eventually("the agent "+id, patience, func() error {
		a, err := client.Agent(s.t.Context(), id)
		if err == nil && !so(a) {
			err = fmt.Errorf("it is %+v", *a)
		}
		return err
	})
}

// roleIs waits until a server shows a role so.
func (s *scene) roleIs(client *sdk.Client, role sdk.Role, so func(sdk.RoleState) bool) {
	s.t.Helper()
	s.eventually("the role "+string(role), patience, func() error {
		roles, err := client.Roles(s.t.Context())
		if err != nil {
			return err
		}
		at := slices.IndexFunc(roles, func(r sdk.RoleState) bool { return r.Role == role })
		if at < 0 {
			return errors.New("it is not there")
		}
		if !so(roles[at]) {
			return fmt.Errorf("it is %+v", roles[at])
		}
		return nil
	})
}

// mute is an agent that says it is there until the end of the test, and never asks for work.
func (s *scene) mute(client *sdk.Client, id string) {
	s.t.Helper()
	agent, err := client.RegisterAgent(s.t.Context(), sdk.AgentRequest{ID: id, Name: "Mime", Role: sdk.RoleCoder})
	s.do(err)
	if agent.HeartbeatIntervalMs != 5000 {
		s.t.Errorf("it is to say that it is there every %d ms", agent.HeartbeatIntervalMs)
	}
	ctx, end := context.WithCancel(s.t.Context())
	var beats sync.WaitGroup
	beats.Go(func() {
		again := time.NewTicker(500 * time.Millisecond)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-again.C:
				_, _ = client.HeartbeatAgent(ctx, id, sdk.AgentHeartbeat{}) // one that is lost does no harm
			}
		}
	})
	s.t.Cleanup(func() {
		end()
		beats.Wait()
	})
}

// offlineOnce looks at an agent's story: it went offline once since it was killed, and after three intervals more it still has.
func (s *scene) offlineOnce(client *sdk.Client, id string, killed time.Time) {
	s.t.Helper()
	count := func() (n int) {
		for e, err := range client.Events(s.t.Context(), sdk.EventFilter{FromStart: true, Subject: "agent/" + id, Types: sdk.EventPatterns{"agent.*"}}) {
			s.do(err)
			var d sdk.AgentStatusChanged
			s.do(json.Unmarshal(e.Data, &d))
			if e.Type == sdk.EventAgentStatusChanged && d.To == sdk.AgentOffline && !e.Time.Before(killed) {
				n++
				if d.Reason != "heartbeats_missed" || e.Agent != id || d.From == sdk.AgentOffline {
					s.t.Errorf("%+v: %s", d, e.Data)
				}
			}
		}
		return n
	}
	s.eventually("the word that "+id+" is offline", patience, func() error {
		if n := count(); n != 1 {
			return fmt.Errorf("%d of them", n)
		}
		return nil
	})
	began := time.Now()
	s.eventually("three more intervals", patience, func() error {
		if left := 15*time.Second - time.Since(began); left > 0 {
			return fmt.Errorf("%s are left", left)
		}
		return nil
	})
	if n := count(); n != 1 {
		s.t.Errorf("%s went offline %d times", id, n)
	}
}

// doctorOfAgents: what doctor says of one that is mute and one that is offline.
func (s *scene) doctorOfAgents() {
	s.t.Helper()
	env := []string{"EVENTS_SERVICE_URL=" + s.stack.URL(), "TEMPORAL_ADDRESS=" + s.stack.TemporalAddr(), "ROLECALL_NATS_URL=" + s.stack.EventsURL(), "PROJECT_ID=" + s.project}
	out, err := cli(s.t, env, "doctor", "--json")
	if err == nil {
		s.t.Error("doctor has nothing to say")
	}
	var seen struct {
		Findings, Remarks []struct{ Problem, Advice string }
	}
	s.do(json.Unmarshal([]byte(out), &seen))
	if !slices.ContainsFunc(seen.Findings, func(f struct{ Problem, Advice string }) bool {
		return strings.Contains(f.Problem, "alive and not asking for work") && strings.Contains(f.Problem, "mime (idle")
	}) {
		s.t.Errorf("doctor on the mute one: %s", out)
	}
	if !slices.ContainsFunc(seen.Remarks, func(f struct{ Problem, Advice string }) bool {
		return strings.Contains(f.Problem, "offline, of role coder: ann (last seen")
	}) {
		s.t.Errorf("doctor on the one that is offline: %s", out)
	}
	table, err := cli(s.t, env, "agents")
	s.do(err)
	for _, want := range []string{"ann   ann   coder  offline  -", "mime  Mime  coder  idle     no"} {
		if !strings.Contains(table, want) {
			s.t.Errorf("no %q in\n%s", want, table)
		}
	}
}
