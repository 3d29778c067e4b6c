package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// noon is when the runs of these tests start.
func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func TestStageModels(t *testing.T) {
	t.Parallel()
	const local, cloud = "ollama", "claude-sonnet-4"
	no := false
	for name, tc := range map[string]struct {
		config    sdk.SessionConfig
		overrides ModelOverrides
		executes  []string
		analyses  []string
	}{
		"free":          {sdk.SessionConfig{}, ModelOverrides{}, []string{local}, []string{local}},
		"hybrid":        {sdk.SessionConfig{CostTier: sdk.TierHybrid}, ModelOverrides{}, []string{cloud, local}, []string{local}},
		"premium":       {sdk.SessionConfig{CostTier: sdk.TierPremium}, ModelOverrides{}, []string{cloud, local}, []string{cloud, local}},
		"no fallback":   {sdk.SessionConfig{CostTier: sdk.TierPremium, Fallback: &no}, ModelOverrides{}, []string{cloud}, []string{cloud}},
		"a session's":   {sdk.SessionConfig{CostTier: sdk.TierPremium, ExecutorModel: "own"}, ModelOverrides{}, []string{"own", cloud, local}, []string{cloud, local}},
		"the house's":   {sdk.SessionConfig{CostTier: sdk.TierHybrid}, ModelOverrides{Executor: "house"}, []string{"house"}, []string{local}},
		"both":          {sdk.SessionConfig{CostTier: sdk.TierHybrid, ExecutorModel: "own"}, ModelOverrides{Executor: "house"}, []string{"own", "house"}, []string{local}},
		"orchestrators": {sdk.SessionConfig{OrchestratorModel: "own"}, ModelOverrides{Orchestrator: "house"}, []string{local}, []string{"own"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := ResolveSession(tc.config, tc.overrides)
			if d := cmp.Diff(c, ResolveSession(c, tc.overrides)); d != "" {
				t.Errorf("resolving twice: %s", d)
			}
			for kind, want := range map[sdk.TaskType][]string{
				sdk.TypeExecute: tc.executes, sdk.TypeCodeReview: tc.executes, sdk.TypeAnalyze: tc.analyses, sdk.TypeValidate: tc.analyses,
				sdk.TypeReflect: tc.analyses, sdk.TypeSkills: tc.analyses,
			} {
				if d := cmp.Diff(want, stageModels(c, tc.overrides, kind)); d != "" {
					t.Errorf("%s: %s", kind, d)
				}
			}
		})
	}
}

func TestSessionTaskIDs(t *testing.T) {
	t.Parallel()
	id := SessionTaskID("s1", "key")
	if again := SessionTaskID("s1", "key"); again != id || SessionTaskID("s1", "other") == id || SessionTaskID("s2", "key") == id {
		t.Errorf("%s and %s", id, again)
	}
	longest := strings.Repeat("s", MaxSessionID)
	for _, tc := range []struct {
		id, session string
		ok          bool
	}{
		{id, "s1", true},
		{SessionTaskID("a-t-b", "1"), "a-t-b", true},
		{SessionTaskID(longest, "1"), longest, true},
		{SessionTaskID(longest+"s", "1"), "", false},
		{SessionTaskID("", "1"), "", false},
		{"s1", "", false},
		{"s1-t-0123456789abcdeX", "", false},
		{"k0123456789abcdef0123456789abcdef01234567", "", false},
		{"0198a1c2-3b4d-7e5f-8a9b-0c1d2e3f4a5b", "", false},
	} {
		session, ok := ParseSessionTaskID(tc.id)
		if ok != tc.ok || ok && session != tc.session {
			t.Errorf("%s: %q %t", tc.id, session, ok)
		}
		if ok && !sdk.ValidID(tc.id) {
			t.Errorf("%s can be no id", tc.id)
		}
	}
	if _, _, _, ok := ParseEventsWorkflowID(SessionEventsWorkflowID("p", "s1")); ok {
		t.Error("a session's events are taken for a task's")
	}
}

func FuzzParseSessionTaskID(f *testing.F) {
	f.Add("s1-t-0123456789abcdef")
	f.Add("-t-0123456789abcdef")
	f.Fuzz(func(t *testing.T, id string) {
		session, ok := ParseSessionTaskID(id)
		if ok && (!sdk.ValidID(session) || !sdk.ValidID(id) || !strings.HasPrefix(id, session+taskMark)) {
			t.Errorf("%q is of %q", id, session)
		}
	})
}

func newTalk() *conversation {
	return newConversation(SessionInput{Project: "p", ID: "s1", Config: sdk.SessionConfig{}}, noon())
}

func sendOf(n int, prompt string) SendTaskInput {
	return SendTaskInput{TaskID: SessionTaskID("s1", fmt.Sprint(n)), Request: sdk.SessionTaskRequest{Type: sdk.TypeExecute, Prompt: prompt}}
}

// codeOf is the code of a refusal; "" is none.
func codeOf(t *testing.T, err error) sdk.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		t.Fatal(err)
	}
	return e.Code
}

// TestConversation_HasRoom: how much may wait, and how much one run takes.
func TestConversation_HasRoom(t *testing.T) {
	t.Parallel()
	short, large := "do it", strings.Repeat("x", sdk.MaxSessionPrompt)
	t.Run("many", func(t *testing.T) {
		t.Parallel()
		c := newTalk()
		for n := range sdk.MaxSessionQueue {
			if err := c.check(sendOf(n, short)); err != nil {
				t.Fatal(n, err)
			}
			c.take(noon(), sendOf(n, short))
		}
		if code := codeOf(t, c.check(sendOf(1000, short))); code != sdk.CodeRateLimited {
			t.Errorf("one too many: %q", code)
		}
		if code := codeOf(t, c.check(sendOf(7, short))); code != "" {
			t.Errorf("one of them again: %q", code)
		}
		c.turn(noon())
		if code := codeOf(t, c.check(sendOf(1000, short))); code != "" {
			t.Errorf("after one has its turn: %q", code)
		}
	})
	t.Run("large", func(t *testing.T) {
		t.Parallel()
		c := newTalk()
		n := 0
		for ; c.check(sendOf(n, large)) == nil; n++ {
			c.take(noon(), sendOf(n, large))
		}
		if n != maxQueueBytes/(len(large)+200) || codeOf(t, c.check(sendOf(n, large))) != sdk.CodeRateLimited || codeOf(t, c.check(sendOf(n, short))) != "" {
			t.Errorf("%d large ones wait, %v", n, c.check(sendOf(n, large)))
		}
		size, err := EncodedSize(c.carried(nil, 0))
		if err != nil || size > 1300<<10 {
			t.Errorf("they are handed over in %d bytes, %v", size, err)
		}
	})
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		texts := slices.Repeat([]string{strings.Repeat("\u2028", sdk.MaxContextText/3)}, sdk.MaxContextItems) // each is written as six bytes
		in := sendOf(1, strings.Repeat("\u2028", sdk.MaxSessionPrompt-1)+"x")
		in.Request.Context = &sdk.SessionContext{Memory: &sdk.Memory{Discoveries: texts, WorkingSet: texts}}
		if err := newTalk().check(in); err != nil {
			t.Errorf("the largest that fits into a body: %v", err)
		}
		for range sdk.MaxContextItems {
			in.Request.Context.Episodes = append(in.Request.Context.Episodes, sdk.Episode{ID: "e", Summary: texts[0], Outcome: "o"})
		}
		in.Request.Prompt = strings.Repeat("\x01", sdk.MaxSessionPrompt)
		in.Request.Context.Metadata = map[string]string{}
		for n := range 50 {
			in.Request.Context.Metadata[fmt.Sprint(n)] = strings.Repeat("\x01", 1024)
		}
		if code := codeOf(t, newTalk().check(in)); code != sdk.CodePayloadTooLarge {
			t.Errorf("%q", code)
		}
	})
	t.Run("while one task runs", func(t *testing.T) {
		t.Parallel()
		c := newTalk()
		n := 0
		for ; c.check(sendOf(n, short)) == nil; n++ {
			c.take(noon(), sendOf(n, short))
			if n > 0 {
				c.cancelTask(CancelRequestedInput{TaskID: sendOf(n, short).TaskID})
				c.nextDropped()
			}
		}
		if n > maxSessionSent || n < goOnSent/2 || codeOf(t, c.check(sendOf(n, short))) != sdk.CodeRateLimited || c.written > maxSessionWritten+3*sessionTaskWeight {
			t.Errorf("%d were sent, %d bytes, then %v", n, c.written, c.check(sendOf(n, short)))
		}
	})
}

// TestConversation_IsDue: when a session goes on as another run.
func TestConversation_IsDue(t *testing.T) {
	t.Parallel()
	done := func(c *conversation, n int, output int) {
		c.take(noon(), sendOf(n, "do it"))
		c.turn(noon())
		c.ended(noon(), &sdk.Task{Status: sdk.StatusCompleted, Result: &sdk.Result{Output: json.RawMessage(strings.Repeat("1", output))}})
	}
	c := newTalk()
	if c.due(true) {
		t.Error("a run that has done nothing goes on")
	}
	n := 0
	for ; !c.due(false); n++ {
		done(c, n, 1)
	}
	if n != maxSessionTasks {
		t.Errorf("%d small tasks in a run, %d bytes", n, c.written)
	}
	c = newTalk()
	if done(c, 0, 1); !c.due(true) || c.due(false) {
		t.Error("it is suggested")
	}
	for n = 1; !c.due(false); n++ {
		done(c, n, sdk.MaxOutput)
	}
	if n > goOnWritten/sdk.MaxOutput+1 {
		t.Errorf("%d large tasks in a run", n)
	}
	if c.closing(sdk.CloseIdle); c.due(true) {
		t.Error("a session that closes goes on")
	}
	if keys := newTalkOf(c.carried(nil, 1)).keys; len(keys) != n {
		t.Errorf("%d keys go on", len(keys))
	}
}

func newTalkOf(in SessionInput) *conversation { return newConversation(in, noon().Add(time.Hour)) }

func TestConversation_KeepsTheNewest(t *testing.T) {
	t.Parallel()
	var many []string
	for n := range 80 {
		many = append(many, fmt.Sprint("lesson ", n))
	}
	list := keepNewest([]string{"first", "lesson 79"}, many)
	if len(list) != sdk.MaxSessionLessons || list[0] != "lesson 30" || list[49] != "lesson 79" {
		t.Errorf("%q", list)
	}
	list = keepNewest([]string{"a", "b"}, []string{" a\n", "", "\x00", strings.Repeat("ä", 300)})
	if d := cmp.Diff([]string{"b", "a", strings.Repeat("ä", 256)}, list); d != "" {
		t.Error(d)
	}
	c := newTalk()
	for _, said := range []string{``, `null`, `[]`, `{"lessons":"none"}`, `{"lessons":["ok"]}`} {
		c.learn(sdk.Result{Reflection: json.RawMessage(said)})
	}
	if d := cmp.Diff([]string{"ok"}, c.session.Lessons); d != "" {
		t.Error(d)
	}
	for n := range 300 {
		c.take(noon(), sendOf(n, "do it"))
		c.turn(noon())
	}
	if len(c.keys) != maxSessionKeys || c.keys[0].TaskID != sendOf(100, "").TaskID {
		t.Errorf("%d keys from %s", len(c.keys), c.keys[0].TaskID)
	}
}

// TestConversation_KnowsWhatWaits: a task that waits is known again however many are sent after it, also as the session goes on.
func TestConversation_KnowsWhatWaits(t *testing.T) {
	t.Parallel()
	c := newTalk()
	send := func(n int) SendTaskInput {
		in := sendOf(n, "do it")
		in.Nonce = fmt.Sprint("nonce ", n)
		return in
	}
	const rest = 2 * maxSessionKeys
	c.take(noon(), send(0))
	c.turn(noon())
	for n := 1; n <= 2; n++ {
		c.take(noon(), send(n))
	}
	c.cancelTask(CancelRequestedInput{TaskID: send(2).TaskID}) // its end is yet to be recorded
	for n := 3; n < rest; n++ {
		c.take(noon(), send(n))
		c.cancelTask(CancelRequestedInput{TaskID: send(n).TaskID})
		c.dropped = c.dropped[:1]
	}
	if len(c.keys) != maxSessionKeys || c.keys[0].TaskID != send(1).TaskID || c.keys[1].TaskID != send(2).TaskID {
		t.Fatalf("%d keys from %+v", len(c.keys), c.keys[:2])
	}
	c.dropped = nil
	c = newTalkOf(c.carried(nil, 0))
	for name, tc := range map[string]struct {
		in     SendTaskInput
		nonce  string
		status sdk.Status
	}{
		"the very asking":          {send(1), "nonce 1", sdk.StatusQueued},
		"one that waits no longer": {send(rest - 1), fmt.Sprint("nonce ", rest-1), ""},
		"another asking":           {sendOf(1, "do it"), "", ""},
	} {
		if err := c.check(tc.in); err != nil {
			t.Error(name, err)
		}
		out := c.take(noon(), tc.in)
		if out.Task.ID != tc.in.TaskID || out.Nonce != tc.nonce || out.Task.Status != tc.status {
			t.Errorf("%s: %+v", name, out)
		}
	}
	if len(c.queue) != 1 {
		t.Errorf("%d wait", len(c.queue))
	}
}

// TestConversation_IsIdleFromItsBegin: the time before anybody held the session, or by another clock, is not counted.
func TestConversation_IsIdleFromItsBegin(t *testing.T) {
	t.Parallel()
	in := SessionInput{Project: "p", ID: "s1", CreatedAt: noon().Add(-time.Hour)}
	c := newConversation(in, noon().Add(-time.Minute))
	c.begins(noon())
	if left := c.idleFor(noon()); left != 30*time.Minute || !c.session.CreatedAt.Equal(in.CreatedAt) {
		t.Errorf("%s left, opened at %s", left, c.session.CreatedAt)
	}
	c = newConversation(c.carried(nil, 0), noon().Add(10*time.Minute))
	c.begins(noon().Add(10 * time.Minute))
	if left := c.idleFor(noon().Add(10 * time.Minute)); left != 20*time.Minute {
		t.Errorf("%s left as it goes on", left)
	}
}

// FuzzConversation: whatever comes, in whatever order: what was taken has its turn or its end, once, in order.
func FuzzConversation(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 0, 3, 4, 1, 5})
	f.Add([]byte{0, 0, 0, 3, 3, 6, 1, 2, 1, 2})
	f.Add([]byte{0, 0, 0, 2, 4, 6, 0, 3, 2, 5, 7, 3})
	f.Fuzz(func(t *testing.T, steps []byte) {
		c := newTalk()
		sent, began, dropped, running, over := 0, []string{}, []string{}, false, false
		for i, step := range steps {
			switch step % 8 {
			case 0, 1:
				in := sendOf(sent, "do it")
				if c.check(in) == nil {
					if over {
						t.Fatal("a session that closes takes a task")
					}
					c.take(noon(), in)
					sent++
				}
			case 2:
				if !running {
					var in TaskInput
					if in, _, running = c.turn(noon()); running {
						if over {
							t.Fatal("a session that closes has a task done")
						}
						began = append(began, in.ID)
					}
				}
			case 3:
				if running {
					c.ended(noon(), nil)
					running = false
				}
			case 4:
				c.cancelTask(CancelRequestedInput{TaskID: sendOf(i%(sent+1), "").TaskID})
			case 7:
				if sent > 0 && c.check(sendOf(i%sent, "do it")) == nil && c.take(noon(), sendOf(i%sent, "do it")).Task.Status != "" {
					t.Fatal("a task is taken twice")
				}
			case 5:
				if !running && len(c.dropped) == 0 && c.due(true) {
					c = newTalkOf(c.carried(c.takeEvents(), 0))
				}
			case 6:
				if begins := c.closing(sdk.CloseRequested); begins == over || c.due(true) {
					t.Fatalf("it begins to close: %t, and goes on: %t", begins, c.due(true))
				}
				over = true
			}
			for in, _, ok := c.nextDropped(); ok; in, _, ok = c.nextDropped() {
				dropped = append(dropped, in.ID)
			}
		}
		all := slices.Concat(began, dropped, c.waitingIDs())
		seen, number := map[string]bool{}, map[string]int{}
		for _, id := range all {
			seen[id] = true
		}
		for n := range sent {
			number[sendOf(n, "").TaskID] = n
		}
		inOrder := slices.IsSortedFunc(slices.Concat(began, c.waitingIDs()), func(a, b string) int { return number[a] - number[b] })
		if !inOrder || over && len(c.queue) > 0 || len(all) != sent || len(seen) != sent || c.session.QueuedTasks != len(c.queue) || c.queued < 0 || len(c.queue) == 0 && c.queued != 0 {
			t.Fatalf("%d were sent: %q had their turn, %q were cancelled, %q wait", sent, began, dropped, c.waitingIDs())
		}
	})
}
