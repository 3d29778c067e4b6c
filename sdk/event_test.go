package sdk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestEventPatterns(t *testing.T) {
	t.Parallel()
	for pattern, test := range map[string]struct {
		yes, no []sdk.EventType
	}{
		"*":              {[]sdk.EventType{"a", "task.completed"}, nil},
		"task.completed": {[]sdk.EventType{"task.completed"}, []sdk.EventType{"task.completed.x", "task", "xtask.completed"}},
		"code.*":         {[]sdk.EventType{"code.generated", "code.a.b"}, []sdk.EventType{"code", "codes.x", "x.code.y"}},
		"a.b.*":          {[]sdk.EventType{"a.b.c"}, []sdk.EventType{"a.b", "a.c.b"}},
		"a.*,b.c":        {[]sdk.EventType{"a.x", "b.c"}, []sdk.EventType{"b.d"}},
		"":               {[]sdk.EventType{"a", "task.completed"}, nil},
	} {
		list, err := sdk.ParseEventPatterns(pattern)
		if err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
		for _, typ := range test.yes {
			if !list.Match(typ) {
				t.Errorf("%q does not choose %s", pattern, typ)
			}
		}
		for _, typ := range test.no {
			if list.Match(typ) {
				t.Errorf("%q chooses %s", pattern, typ)
			}
		}
	}
	var many []string
	for i := range sdk.MaxEventPatterns + 1 {
		many = append(many, fmt.Sprint("a", i))
	}
	if list, err := sdk.ParseEventPatterns(strings.Join(many[1:], ",")); err != nil || len(list) != sdk.MaxEventPatterns {
		t.Errorf("as many patterns as there may be: %v, %v", list, err)
	}
	for _, bad := range []string{">", "a.>", "a.*.b", "*.b", "A.b", "a b", "a..b", "a.", ".*", "**", "a%2eb", ",", strings.Join(many, ",")} {
		if list, err := sdk.ParseEventPatterns(bad); !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("%q gives %v, %v", bad, list, err)
		}
	}
}

func TestSequences(t *testing.T) {
	t.Parallel()
	if got := sdk.FormatSequence(42); got != "00000000000000000042" {
		t.Errorf("42 is written %s", got)
	}
	for _, s := range []string{"42", "00000000000000000042"} {
		if n, err := sdk.ParseSequence(s); n != 42 || err != nil {
			t.Errorf("%q is %d, %v", s, n, err)
		}
	}
	for _, s := range []string{"", "-1", "+1", "1.0", "0x1", "99999999999999999999", "000000000000000000001", " 1", "٣"} {
		if n, err := sdk.ParseSequence(s); err == nil {
			t.Errorf("%q is %d", s, n)
		}
	}
}

func TestReservedEventTypes(t *testing.T) {
	t.Parallel()
	for typ, want := range map[sdk.EventType]bool{
		"task.completed": true, "task.anything": true, "session.x": true, "plan.step": true, "agent.heartbeat": true,
		"code.generated": false, "ai.message": false, "tasks.x": false, "mytask.x": false,
		"output": true, "resume": true, "gone": true, "open": true, "message": true, "error": true, "gone.fishing": false, "task": false,
	} {
		if got := typ.Reserved(); got != want {
			t.Errorf("%s: %v", typ, got)
		}
	}
}
