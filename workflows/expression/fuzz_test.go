package expression_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// FuzzCondition: whatever somebody writes, nothing panics, and two environments come to the same: the same refusal, or the same answer for
// the same cost.
func FuzzCondition(f *testing.F) {
	for _, seed := range []string{
		`steps.test.output.passed == true`, `inputs.object.map(k, k) == ["a", "b", "c"]`, `{"b": 1, "a": [2]}.all(k, k in inputs.object)`,
		`"%s %d".format([inputs.object, 1]) == inputs.language`, `has(steps.test.output.x) ? 1 == 2 : steps.left.status == "skipped"`,
		`inputs.long.matches("(a|b)+")`, `[1].map(l, [l, l]).map(l, [l, l]) == [[1]]`, `timestamp("2026-01-02T03:04:05Z").getHours("UTC") > 2`,
		`steps[inputs.x].output`, `steps`, `(`, `"`, `b"\xff" == b""`, `{1: 2, 1u: 3, true: 4}.map(k, k) == []`, `google.protobuf.Value{}`, "a\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		one, two := newEnv(t), newEnv(t)
		a, errA := one.Condition(source)
		b, errB := two.Condition(source)
		if (errA == nil) != (errB == nil) || errA != nil && errA.Error() != errB.Error() {
			t.Fatalf("%q is %v, and %v", source, errA, errB)
		}
		if errA != nil {
			return
		}
		okA, errA := a.Eval(values(), expression.NewBudget(expression.NewPurse()))
		okB, errB := b.Eval(values(), expression.NewBudget(expression.NewPurse()))
		if okA != okB || failure(t, errA) != failure(t, errB) {
			t.Errorf("%q is %v (%v), and %v (%v)", source, okA, errA, okB, errB)
		}
	})
}

// FuzzTemplate: whatever JSON somebody writes, nothing panics; what is made is JSON within its bounds, and each time the same bytes; and JSON
// without expressions stays as it is.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		`{"code": "${{ steps.test.output }}", "b": [1, "x ${{ inputs.object }} $${{ y"]}`, `"${{ {'}}': \"}}\"} }}"`, `"\u0024{{ 1 }}"`,
		`"${{ [1].map(l, [l, l]).map(l, [l, l]) }}"`, `"${{ r'\\' }}"`, `"${{ '''}}''' }}${{"`, `[[[["${{ inputs.object.a.z }}"]]]]`, `"${{ 1.0 / 0.0 }}"`,
		` { "a" : "\ud800 ${{ b'\\x00' }}" } `, `"${{ // }}\n1 }}"`, `"$$$${{{{}}}}"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		template, faults := newEnv(t).Template("$", raw)
		if len(faults) > 0 {
			return
		}
		first, err := template.Eval(values(), expression.NewBudget(expression.NewPurse()))
		second, again := template.Eval(values(), expression.NewBudget(expression.NewPurse()))
		if failure(t, err) != failure(t, again) || !bytes.Equal(first, second) {
			t.Fatalf("%q makes %q (%v), and %q (%v)", raw, first, err, second, again)
		}
		if e, ok := errors.AsType[*sdk.Error](err); ok {
			if e.Code != sdk.CodeExpressionFailed && e.Code != sdk.CodePayloadTooLarge {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		if sdk.CheckJSON(first, sdk.MaxInput) != nil {
			t.Errorf("%q makes %q: %v", raw, first, sdk.CheckJSON(first, sdk.MaxInput))
		}
		if len(template.Uses()) == 0 && len(raw) > 0 && !bytes.Equal(raw, first) {
			t.Errorf("%q became %q", raw, first)
		}
		var parsed any
		if err := json.Unmarshal(first, &parsed); err != nil {
			t.Errorf("%q: %v", raw, err)
		}
	})
}
