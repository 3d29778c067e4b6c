//go:build agents

package agents

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/modelserver"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestPiHoldsASession: the real pi fails twice, then works; the stream tells it in order, and what was learnt is the session's.
func TestPiHoldsASession(t *testing.T) {
	t.Parallel()
	broken := modelserver.Answer{Status: http.StatusInternalServerError, Text: "out of order"}
	o := newOffice(t, dev.ForTest(t, dev.Options{}), broken, broken, broken, broken, // pi asks twice in each attempt
		modelserver.Answer{Text: "I will write it.", Tools: []modelserver.Tool{{Name: "write", Arguments: map[string]any{"path": "hello.txt", "content": "hello\n"}}}},
		modelserver.Answer{Text: "Done. Quality gate: passed.\n- Keep inputs validated"})
	o.worker(sdk.RoleCoder, "pi")
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	session, err := o.stack.Client().OpenSession(ctx, sdk.SessionConfig{
		CostTier: sdk.TierFree, ExecutorModel: "scripted", QualityGates: true, Retry: &sdk.Retry{InitialIntervalMs: 100},
	})
	if err != nil {
		t.Fatal(err)
	}
	const prompt = "Greet whoever reads hello.txt"
	result, err := session.SendTask(ctx, sdk.TypeExecute, prompt)
	if err != nil {
		t.Fatal(err)
	}
	if result.Text() != "Done. Quality gate: passed.\n- Keep inputs validated" || result.QualityGatePassed == nil || !*result.QualityGatePassed || result.Degraded {
		t.Errorf("the result is %+v", result)
	}
	if raw, err := os.ReadFile(filepath.Join(o.dir, "hello.txt")); err != nil || string(raw) != "hello\n" {
		t.Errorf("the file holds %q (%v)", raw, err)
	}
	if _, err := session.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := dev.Until(ctx, patience, func(ctx context.Context) error {
		now, err := session.Get(ctx)
		if err == nil && (now.Status != sdk.SessionClosed || !slices.Equal(now.Lessons, []string{"Keep inputs validated"})) {
			err = fmt.Errorf("it is %+v", now)
		}
		return err
	}); err != nil {
		t.Errorf("the session, closed, with what it has learnt: %v", err)
	}
	var plain []sdk.SessionEvent
	var told []string
	for e, err := range session.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		p := e.Payload
		if e.Type == sdk.TaskProgressEvent {
			if p.TaskID != result.TaskID || p.TaskType != sdk.TypeExecute || p.Progress == nil {
				t.Errorf("a progress of %+v", p)
			}
			told = append(told, strings.TrimSpace(p.Category+" "+p.Tool))
			continue
		}
		p.Duration = 0
		plain = append(plain, sdk.SessionEvent{Type: e.Type, Payload: p})
	}
	of := func(kind sdk.SessionEventType, p sdk.SessionPayload) sdk.SessionEvent {
		p.TaskID, p.TaskType = result.TaskID, sdk.TypeExecute
		return sdk.SessionEvent{Type: kind, Payload: p}
	}
	failed := func(n int) sdk.SessionEvent {
		return of(sdk.TaskErrorEvent, sdk.SessionPayload{
			Error: "500 out of order", Operation: "sendTask(execute)", Attempt: n, MaxAttempts: 3, ErrorCount: n,
		})
	}
	want := []sdk.SessionEvent{
		{Type: sdk.SessionStartEvent, Payload: sdk.SessionPayload{
			SessionID: session.ID(), CostTier: sdk.TierFree, OrchestratorModel: "ollama", ExecutorModel: "scripted",
		}},
		of(sdk.TaskStartEvent, sdk.SessionPayload{Prompt: prompt, Priority: sdk.PriorityMedium}),
		failed(1), failed(2),
		of(sdk.TaskCompleteEvent, sdk.SessionPayload{}),
		{Type: sdk.SessionCloseEvent, Payload: sdk.SessionPayload{SessionID: session.ID()}},
	}
	if diff := cmp.Diff(want, plain); diff != "" {
		t.Errorf("the stream (-want +got):\n%s", diff)
	}
	if n := len(told); n == 0 || told[n-1] != "message" {
		t.Errorf("the progress told is %q, want a message at the end", told)
	}
	var asked strings.Builder
	for _, m := range o.model.Requests()[0].Messages {
		asked.WriteString(m.Text())
	}
	if !strings.Contains(asked.String(), prompt) {
		t.Errorf("the model was told %q", asked.String())
	}
}
