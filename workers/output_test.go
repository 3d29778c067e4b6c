package workers

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// fakeService takes live output as it is told.
type fakeService struct {
	mu    sync.Mutex
	fail  error
	hang  bool // calls take until their context ends
	calls []call[sdk.TaskOutput]
	tries []time.Time
}

func (f *fakeService) SendOutput(ctx context.Context, task string, output sdk.TaskOutput) error {
	f.mu.Lock()
	hang := f.hang
	f.tries = append(f.tries, time.Now())
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	if raw, err := json.Marshal(output); err != nil || len(raw) > sdk.MaxOutputCall || len(output.Frames) > sdk.MaxOutputFrames || len(output.Frames) == 0 || task != "t1" {
		return sdk.Errorf(sdk.CodeInvalidInput, "a call that the service refuses: %d frames, %d bytes, %v", len(output.Frames), len(raw), err)
	}
	f.calls = append(f.calls, call[sdk.TaskOutput]{time.Now(), output})
	return nil
}

// said is all that came, as it is shown.
func (f *fakeService) said() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, c := range f.calls {
		for _, frame := range c.value.Frames {
			if frame.Tool != "" {
				b.WriteString("[" + frame.Tool + "]")
			}
			b.WriteString(frame.Text + frame.Delta)
		}
	}
	return b.String()
}

// talk runs an attempt whose handler says something.
func talk(t *testing.T, service *fakeService, say func(live sdk.Output)) {
	t.Helper()
	w := bench(t, &fakeTemporal{}, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
		say(r.(sdk.Output))
		return &sdk.Result{}, nil
	})
	w.outputs = service
	_, done := begin(w, sdk.Assignment{Attempt: 2})
	<-done
	pass(2 * outputLast) // what was left is sent behind the answer
}

func TestLiveOutputIsSentTenTimesASecondAndWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{}
		const word = "word "
		talk(t, service, func(live sdk.Output) {
			for range 300 {
				live.Output(sdk.OutputFrame{Delta: word})
				pass(10 * time.Millisecond)
			}
			live.Output(sdk.OutputFrame{Tool: "bash make test"}, sdk.OutputFrame{Text: "done"}, sdk.OutputFrame{Delta: " héld"})
		})
		if got, want := service.said(), strings.Repeat(word, 300)+"[bash make test]done héld"; got != want {
			t.Errorf("said %q", got)
		}
		if n := len(service.calls); n < 28 || n > 33 {
			t.Errorf("%d calls in three seconds", n)
		}
		for i, c := range service.calls {
			if i > 0 && c.at.Sub(service.calls[i-1].at) < outputEvery {
				t.Errorf("two calls within %s", c.at.Sub(service.calls[i-1].at))
			}
			if c.value.Attempt != 2 {
				t.Errorf("a call of attempt %d", c.value.Attempt)
			}
		}
	})
}

func TestLiveOutputThatIsTooMuchIsDroppedAndTheNewestShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{}
		began := time.Now()
		talk(t, service, func(live sdk.Output) {
			for range 100 {
				live.Output(sdk.OutputFrame{Text: strings.Repeat("\x01é", 40<<10)}) // six bytes in JSON for one
			}
			for range 5000 {
				live.Output(sdk.OutputFrame{Text: "a line"})
			}
			live.Output(sdk.OutputFrame{Text: "the end"})
			if took := time.Since(began); took != 0 {
				t.Errorf("the handler waited for %s", took)
			}
		})
		if said := service.said(); !strings.HasSuffix(said, "the end") || len(said) > outputQueue+outputPiece {
			t.Errorf("%d bytes, the last: %q", len(said), said[max(0, len(said)-20):])
		}
		if len(service.calls) != len(service.tries) || len(service.calls) < 2 {
			t.Errorf("%d of %d calls were taken", len(service.calls), len(service.tries))
		}
	})
}

func TestLiveOutputOfAServiceThatIsAwayCostsNothing(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*fakeService){
		"away":  func(f *fakeService) { f.fail = sdk.Errorf(sdk.CodeUnavailable, "away") },
		"hangs": func(f *fakeService) { f.hang = true },
	} {
		synctest.Test(t, func(t *testing.T) {
			service := &fakeService{}
			set(service)
			began := time.Now()
			talk(t, service, func(live sdk.Output) {
				for range 200 {
					live.Output(sdk.OutputFrame{Delta: "lost "})
					pass(100 * time.Millisecond)
				}
				service.mu.Lock()
				service.fail, service.hang = nil, false
				service.mu.Unlock()
				pass(outputAway + outputTry)
				live.Output(sdk.OutputFrame{Delta: "back "})
				pass(time.Second)
			})
			if n := len(service.tries); n > 6 {
				t.Errorf("%s: %d calls in %s", name, n, time.Since(began))
			}
			if said := service.said(); said != "back " {
				t.Errorf("%s: said %q", name, said)
			}
		})
	}
}

func TestLiveOutputEndsWithItsAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{hang: true}
		var live sdk.Output
		began := time.Now()
		talk(t, service, func(l sdk.Output) { live = l; l.Output(sdk.OutputFrame{Text: "one"}) })
		if took := time.Since(began); took != 2*outputLast {
			t.Errorf("the attempt's answer waited: %s", took)
		}
		live.Output(sdk.OutputFrame{Text: "late"})
		synctest.Wait() // all that was started has ended, or the bubble fails
		if len(service.tries) > 1 {
			t.Errorf("%d calls", len(service.tries))
		}
	})
}

func TestLiveOutputIsRedactedAlsoWhereASecretComesInPieces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{}
		talk(t, service, func(live sdk.Output) {
			for i := range len(aSecret) {
				live.Output(sdk.OutputFrame{Delta: aSecret[i : i+1]})
				pass(70 * time.Millisecond)
			}
			live.Output(sdk.OutputFrame{Text: " " + aSecret}, sdk.OutputFrame{Tool: "curl -H 'Authorization: Bearer " + aSecret + "'"})
		})
		if got := service.said(); got != "[redacted] [redacted][curl -H 'Authorization: Bearer [redacted]']" {
			t.Errorf("said %q", got)
		}
	})
}

func TestLiveOutputOfSeveralLinesIsRedactedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{}
		talk(t, service, func(live sdk.Output) {
			live.Output(sdk.OutputFrame{Delta: "a key:"})
			for _, line := range []string{"-----BEGIN RSA PRIVATE KEY-----", "MIIEowIBAAKCAQEAa1B2", "QUJDa1B2QUJDa1B2", "-----END RSA PRIVATE KEY-----", "ok"} {
				live.Output(sdk.OutputFrame{Text: line})
				pass(time.Second)
			}
		})
		if got := service.said(); got != "a key:[redacted]ok" {
			t.Errorf("said %q", got)
		}
	})
}

func TestLiveOutputIsRedactedAlsoWhereItsServiceWasAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{fail: sdk.Errorf(sdk.CodeConflict, "too early")}
		talk(t, service, func(live sdk.Output) {
			live.Output(sdk.OutputFrame{Delta: "hello "})
			pass(time.Millisecond)
			live.Output(sdk.OutputFrame{Delta: aSecret[:12]})
			live.Output(sdk.OutputFrame{Text: "-----BEGIN PRIVATE KEY-----"})
			service.mu.Lock()
			service.fail = nil
			service.mu.Unlock()
			pass(2 * outputEarly)
			live.Output(sdk.OutputFrame{Text: "MIIEowIBAAKCAQEAa1B2"}, sdk.OutputFrame{Text: "-----END PRIVATE KEY-----"}, sdk.OutputFrame{Text: "back"})
		})
		if got := service.said(); !strings.HasSuffix(got, "back") || strings.Contains(got, "MIIE") || strings.Contains(got, "END") {
			t.Errorf("said %q", got)
		}
	})
}

// TestASecretWhoseRestWasSaidToNobodyIsNotShown: the service was away for its second half, and nothing follows.
func TestASecretWhoseRestWasSaidToNobodyIsNotShown(t *testing.T) {
	t.Parallel()
	o := newOutput(&fakeService{}, &sdk.Assignment{}, redact.Default(), func() int { return 1 })
	o.take([]sdk.OutputFrame{{Delta: "key " + aSecret[:12]}})
	said := o.batch()
	o.absent(true)
	o.take([]sdk.OutputFrame{{Delta: aSecret[12:] + " "}})
	o.absent(false)
	o.close()
	if said = append(said, o.batch()...); len(said) != 1 || said[0].Delta != "key " {
		t.Errorf("said %q", said)
	}
}

// TestASecretThatIsPushedOutInPartIsNotShown: a key begins with what gave way, and ends with what waits.
func TestASecretThatIsPushedOutInPartIsNotShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{}
		talk(t, service, func(live sdk.Output) {
			live.Output(sdk.OutputFrame{Text: "first"})
			synctest.Wait() // all that follows waits for the next call
			live.Output(sdk.OutputFrame{Delta: "a"})
			live.Output(sdk.OutputFrame{Text: strings.Repeat("word ", outputQueue)}, sdk.OutputFrame{Text: "-----BEGIN RSA PRIVATE KEY-----"})
			for range outputFrames + 50 {
				live.Output(sdk.OutputFrame{Text: "MIIEowIBAAKCAQEAa1B2MIIEowIBAAKC"})
			}
			live.Output(sdk.OutputFrame{Text: "-----END RSA PRIVATE KEY-----"}, sdk.OutputFrame{Text: "the end"})
			pass(time.Second)
		})
		if got := service.said(); got != "firstthe end" {
			t.Errorf("%d bytes, said %.100q", len(got), got)
		}
	})
}

func TestALongLineOfLiveOutputIsShownByItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{}
		talk(t, service, func(live sdk.Output) {
			live.Output(sdk.OutputFrame{Text: strings.Repeat("x ", 1<<20) + "password=\"" + strings.Repeat("hunter2 ", outputQueue/8) + "\" the end"})
		})
		if got := service.said(); got != "[redacted]\" the end" && got != "\" the end" {
			t.Errorf("%d bytes, said %.100q", len(got), got)
		}
	})
}

// TestWhoSaysSomethingDoesNotRedactIt: that is done where it is sent.
func TestWhoSaysSomethingDoesNotRedactIt(t *testing.T) {
	o := newOutput(&fakeService{}, &sdk.Assignment{}, redact.Default(), func() int { return 1 })
	line := []sdk.OutputFrame{{Text: "ok  \tgithub.com/rolecall-dev/rolecall/workers\t0.123s, the password: is asked for"}}
	if n := testing.AllocsPerRun(5000, func() { o.take(line) }); n > 3 {
		t.Errorf("%.0f allocations for a line", n)
	}
	if shown := o.batch(); len(shown) == 0 || shown[0] != line[0] {
		t.Errorf("%d frames, %+v", len(shown), shown)
	}
}

func BenchmarkALineOfLiveOutput(b *testing.B) {
	o := newOutput(&fakeService{}, &sdk.Assignment{}, redact.Default(), func() int { return 1 })
	line := []sdk.OutputFrame{{Text: "ok  \tgithub.com/rolecall-dev/rolecall/workers\t0.123s, the password: is asked for"}}
	for b.Loop() {
		o.take(line)
	}
}

// BenchmarkTheLongestQueueOfLiveOutput is what a call costs where as much waits as may.
func BenchmarkTheLongestQueueOfLiveOutput(b *testing.B) {
	for b.Loop() {
		o := newOutput(&fakeService{}, &sdk.Assignment{}, redact.Default(), func() int { return 1 })
		for range outputFrames {
			o.take([]sdk.OutputFrame{{Text: strings.Repeat("a line, ", outputQueue/outputFrames/8)}})
		}
		o.batch()
	}
}
