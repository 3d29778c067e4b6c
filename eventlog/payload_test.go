package eventlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/rolecall-dev/rolecall/sdk"
)

// smallNATS is a server that takes small messages alone.
func smallNATS(t *testing.T) *external {
	t.Helper()
	e := newExternal(t)
	e.stop()
	e.opts.MaxPayload, e.opts.MaxPending = 64<<10, 1<<20
	e.start()
	return e
}

// TestANATSThatTakesNoLargeMessagesIsRefused by whoever waits for it, at once, with what is to be set.
func TestANATSThatTakesNoLargeMessagesIsRefused(t *testing.T) {
	t.Parallel()
	l, err := Open(t.Context(), Config{URL: smallNATS(t).ClientURL(), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for what, err := range map[string]error{"await": l.Await(bounded(t)), "ready": l.Ready(bounded(t))} {
		if e, ok := errors.AsType[*sdk.Error](err); !ok || e.Code != sdk.CodeInternal || !strings.Contains(e.Message, "at most 65536 bytes; set its max_payload to 1048576") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestALargeEventIsRefusedAlone: those that are written together with it are kept.
func TestALargeEventIsRefusedAlone(t *testing.T) {
	t.Parallel()
	l, err := Open(t.Context(), Config{URL: smallNATS(t).ClientURL(), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_ = l.Await(bounded(t)) // refused
	p, err := l.project("p")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.ensure(bounded(t)); err != nil {
		t.Fatal(err)
	}
	large := anEvent("large", "x.y")
	large.Data = json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)
	others, alone := newWrite(), newWrite()
	for i := range fewest {
		others.add(aMessage(t, anEvent(fmt.Sprint(i), "x.y")))
	}
	alone.add(aMessage(t, large))
	p.commit([]*write{others, alone})
	if others.err != nil || !errors.Is(alone.err, nats.ErrMaxPayload) {
		t.Errorf("a large event: %v; the others: %v", alone.err, others.err)
	}
	if got := ids(t, l, "p", Query{}); len(got) != fewest {
		t.Errorf("kept: %q", got)
	}
}

func aMessage(t *testing.T, e sdk.Event) *nats.Msg {
	t.Helper()
	m, err := encode(publishedSubject("p", e.Type), e)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
