package sdk_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// request is the smallest valid one.
func request(change func(*sdk.TaskRequest)) sdk.TaskRequest {
	r := sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Add a retry to the uploader"}
	if change != nil {
		change(&r)
	}
	return r
}

// faultPaths are the paths of what Validate finds; nil for a valid request.
func faultPaths(t *testing.T, r sdk.TaskRequest) []string {
	t.Helper()
	err := r.Validate()
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || e.Code != sdk.CodeInvalidInput {
		t.Fatalf("Validate answered %T %v, want an *Error of code invalid_input", err, err)
	}
	var paths []string
	for _, f := range e.Faults {
		if f.Message == "" {
			t.Errorf("the fault at %s has no message", f.Path)
		}
		paths = append(paths, f.Path)
	}
	return paths
}

func text(n int) string { return strings.Repeat("x", n) }

func jsonText(n int) json.RawMessage { return json.RawMessage(`"` + text(n-2) + `"`) }

func nested(depth int) json.RawMessage {
	return json.RawMessage(strings.Repeat("[", depth) + strings.Repeat("]", depth))
}

func list(n, size int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = text(size)
	}
	return out
}

func pairs(n int) map[string]string {
	out := make(map[string]string, n)
	for i := range n {
		out["k"+strconv.Itoa(i)] = "v"
	}
	return out
}

// TestValidateSizes has every bound of a size at its last good and its first bad value, as the contract gives it.
func TestValidateSizes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path  string
		limit int
		set   func(*sdk.TaskRequest, int)
	}{
		{"$.title", 200, func(r *sdk.TaskRequest, n int) { r.Title = strings.Repeat("ä", n) }},
		{"$.type", 128, func(r *sdk.TaskRequest, n int) { r.Type, r.Role = sdk.TaskType(text(n)), sdk.RoleCoder }},
		{"$.role", 63, func(r *sdk.TaskRequest, n int) { r.Role = sdk.Role(text(n)) }},
		{"$.description", 65536, func(r *sdk.TaskRequest, n int) { r.Description = text(n) }},
		{"$.input", 524288, func(r *sdk.TaskRequest, n int) { r.Input = jsonText(n) }},
		{"$.input", 64, func(r *sdk.TaskRequest, n int) { r.Input = nested(n) }},
		{"$.agentId", 128, func(r *sdk.TaskRequest, n int) { r.AgentID = text(n) }},
		{"$.parentId", 128, func(r *sdk.TaskRequest, n int) { r.ParentID = text(n) }},
		{"$.capabilities", 50, func(r *sdk.TaskRequest, n int) { r.Capabilities = list(n, 1) }},
		{"$.capabilities[1]", 64, func(r *sdk.TaskRequest, n int) { r.Capabilities = []string{"go", text(n)} }},
		{"$.metadata", 50, func(r *sdk.TaskRequest, n int) { r.Metadata = pairs(n) }},
		{`$.metadata["k"]`, 1024, func(r *sdk.TaskRequest, n int) { r.Metadata = map[string]string{"k": text(n)} }},
		{`$.metadata["` + text(64) + `"]`, 64, func(r *sdk.TaskRequest, n int) { r.Metadata = map[string]string{text(n): "v"} }},
		{"$.correlationId", 256, func(r *sdk.TaskRequest, n int) { r.CorrelationID = text(n) }},
		{"$.fairnessKey", 64, func(r *sdk.TaskRequest, n int) { r.FairnessKey = text(n) }},
		{"$.fallback", 5, func(r *sdk.TaskRequest, n int) { r.Fallback = make([]sdk.Stage, n) }},
		{"$.fallback[0].role", 63, func(r *sdk.TaskRequest, n int) { r.Fallback = []sdk.Stage{{Role: sdk.Role(text(n))}} }},
		{"$.fallback[0].agentId", 128, func(r *sdk.TaskRequest, n int) { r.Fallback = []sdk.Stage{{AgentID: text(n)}} }},
		{"$.fallback[0].model", 256, func(r *sdk.TaskRequest, n int) { r.Fallback = []sdk.Stage{{Model: text(n)}} }},
	} {
		for n, want := range map[int][]string{tc.limit - 1: nil, tc.limit: nil, tc.limit + 1: {tc.path}} {
			got := faultPaths(t, request(func(r *sdk.TaskRequest) { tc.set(r, n) }))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s with %d (limit %d): %s", tc.path, n, tc.limit, diff)
			}
		}
	}
}

// TestValidateRanges has both ends of every range; zero is the default and always good.
func TestValidateRanges(t *testing.T) {
	t.Parallel()
	const month = 2_592_000_000
	retry := func(set func(*sdk.Retry, int64)) func(*sdk.TaskRequest, int64) {
		return func(r *sdk.TaskRequest, n int64) { r.Retry = &sdk.Retry{}; set(r.Retry, n) }
	}
	timeouts := func(set func(*sdk.Timeouts, int64)) func(*sdk.TaskRequest, int64) {
		return func(r *sdk.TaskRequest, n int64) { r.Timeouts = &sdk.Timeouts{}; set(r.Timeouts, n) }
	}
	stage := func(set func(*sdk.Stage, int64)) func(*sdk.TaskRequest, int64) {
		return func(r *sdk.TaskRequest, n int64) {
			s := sdk.Stage{Retry: &sdk.Retry{}, Timeouts: &sdk.StageTimeouts{}}
			set(&s, n)
			r.Fallback = []sdk.Stage{{}, s}
		}
	}
	for _, tc := range []struct {
		path      string
		low, high int64
		set       func(*sdk.TaskRequest, int64)
	}{
		{"$.retry.maxAttempts", 1, 100, retry(func(r *sdk.Retry, n int64) { r.MaxAttempts = int(n) })},
		{"$.retry.initialIntervalMs", 100, month, retry(func(r *sdk.Retry, n int64) { r.InitialIntervalMs = n })},
		{"$.retry.maxIntervalMs", 100, month, retry(func(r *sdk.Retry, n int64) { r.MaxIntervalMs = n })},
		{"$.retry.backoffCoefficient", 1, 10, retry(func(r *sdk.Retry, n int64) { r.BackoffCoefficient = float64(n) })},
		{"$.timeouts.queueMs", 1000, month, timeouts(func(v *sdk.Timeouts, n int64) { v.QueueMs = n })},
		{"$.timeouts.attemptMs", 1000, month, timeouts(func(v *sdk.Timeouts, n int64) { v.AttemptMs = n })},
		{"$.timeouts.totalMs", 1000, month, timeouts(func(v *sdk.Timeouts, n int64) { v.TotalMs = n })},
		{"$.timeouts.heartbeatMs", 5000, month, timeouts(func(v *sdk.Timeouts, n int64) { v.HeartbeatMs = n })},
		{"$.timeouts.inputMs", 1000, month, timeouts(func(v *sdk.Timeouts, n int64) { v.InputMs = n })},
		{"$.fallback[1].retry.maxAttempts", 1, 100, stage(func(s *sdk.Stage, n int64) { s.Retry.MaxAttempts = int(n) })},
		{"$.fallback[1].timeouts.queueMs", 1000, month, stage(func(s *sdk.Stage, n int64) { s.Timeouts.QueueMs = n })},
		{"$.fallback[1].timeouts.attemptMs", 1000, month, stage(func(s *sdk.Stage, n int64) { s.Timeouts.AttemptMs = n })},
		{"$.fallback[1].timeouts.heartbeatMs", 5000, month, stage(func(s *sdk.Stage, n int64) { s.Timeouts.HeartbeatMs = n })},
	} {
		bad := []string{tc.path}
		cases := map[int64][]string{0: nil, tc.low: nil, tc.high: nil, -1: bad, tc.high + 1: bad, math.MinInt64: bad, math.MaxInt64: bad}
		if tc.low > 1 {
			cases[tc.low-1] = bad
		}
		for n, want := range cases {
			got := faultPaths(t, request(func(r *sdk.TaskRequest) { tc.set(r, n) }))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s = %d (from %d to %d): %s", tc.path, n, tc.low, tc.high, diff)
			}
		}
	}
}

func TestValidateShapes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*sdk.TaskRequest)
		want   []string
	}{
		"smallest":                    {nil, nil},
		"no type":                     {func(r *sdk.TaskRequest) { r.Type = "" }, []string{"$.type"}},
		"type in capitals":            {func(r *sdk.TaskRequest) { r.Type = "Code.Write" }, []string{"$.type"}},
		"type with an empty part":     {func(r *sdk.TaskRequest) { r.Type = "code..write" }, []string{"$.type"}},
		"unknown type, no role":       {func(r *sdk.TaskRequest) { r.Type = "art.paint" }, []string{"$.role"}},
		"unknown type with a role":    {func(r *sdk.TaskRequest) { r.Type, r.Role = "art.paint", "painter" }, nil},
		"role with a dot":             {func(r *sdk.TaskRequest) { r.Role = "co.der" }, []string{"$.role"}},
		"role from a digit":           {func(r *sdk.TaskRequest) { r.Role = "1coder" }, []string{"$.role"}},
		"no title":                    {func(r *sdk.TaskRequest) { r.Title = "" }, []string{"$.title"}},
		"blank title":                 {func(r *sdk.TaskRequest) { r.Title = " \t " }, []string{"$.title"}},
		"title of two lines":          {func(r *sdk.TaskRequest) { r.Title = "a\nb" }, []string{"$.title"}},
		"title not UTF-8":             {func(r *sdk.TaskRequest) { r.Title = "a\xff" }, []string{"$.title"}},
		"description not UTF-8":       {func(r *sdk.TaskRequest) { r.Description = "a\xff" }, []string{"$.description"}},
		"input not JSON":              {func(r *sdk.TaskRequest) { r.Input = json.RawMessage("{") }, []string{"$.input"}},
		"input not UTF-8":             {func(r *sdk.TaskRequest) { r.Input = json.RawMessage("\"\xff\"") }, []string{"$.input"}},
		"input null":                  {func(r *sdk.TaskRequest) { r.Input = json.RawMessage("null") }, nil},
		"unknown priority":            {func(r *sdk.TaskRequest) { r.Priority = "asap" }, []string{"$.priority"}},
		"alias of a priority":         {func(r *sdk.TaskRequest) { r.Priority = "urgent" }, nil},
		"agent id with a dot":         {func(r *sdk.TaskRequest) { r.AgentID = "a.b" }, []string{"$.agentId"}},
		"agent id with a colon":       {func(r *sdk.TaskRequest) { r.AgentID = "a:b" }, []string{"$.agentId"}},
		"parent id with a slash":      {func(r *sdk.TaskRequest) { r.ParentID = "../b" }, []string{"$.parentId"}},
		"detached from nothing":       {func(r *sdk.TaskRequest) { r.Detached = true }, []string{"$.detached"}},
		"empty capability":            {func(r *sdk.TaskRequest) { r.Capabilities = []string{""} }, []string{"$.capabilities[0]"}},
		"empty metadata key":          {func(r *sdk.TaskRequest) { r.Metadata = map[string]string{"": "v"} }, []string{`$.metadata[""]`}},
		"metadata value not UTF-8":    {func(r *sdk.TaskRequest) { r.Metadata = map[string]string{"k": "\xff"} }, []string{`$.metadata["k"]`}},
		"coefficient not a number":    {func(r *sdk.TaskRequest) { r.Retry = &sdk.Retry{BackoffCoefficient: math.NaN()} }, []string{"$.retry.backoffCoefficient"}},
		"coefficient below one":       {func(r *sdk.TaskRequest) { r.Retry = &sdk.Retry{BackoffCoefficient: 0.99} }, []string{"$.retry.backoffCoefficient"}},
		"longest pause below first":   {func(r *sdk.TaskRequest) { r.Retry = &sdk.Retry{InitialIntervalMs: 500, MaxIntervalMs: 499} }, []string{"$.retry.maxIntervalMs"}},
		"longest pause like first":    {func(r *sdk.TaskRequest) { r.Retry = &sdk.Retry{InitialIntervalMs: 500, MaxIntervalMs: 500} }, nil},
		"fallback role not a role":    {func(r *sdk.TaskRequest) { r.Fallback = []sdk.Stage{{Role: "A"}} }, []string{"$.fallback[0].role"}},
		"fallback agent id not an id": {func(r *sdk.TaskRequest) { r.Fallback = []sdk.Stage{{AgentID: "*"}} }, []string{"$.fallback[0].agentId"}},
	} {
		if diff := cmp.Diff(tc.want, faultPaths(t, request(tc.change))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestValidateNamesEveryFaultAtOnce has one fault in every field.
func TestValidateNamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	got := faultPaths(t, sdk.TaskRequest{
		Type: "X", Role: "X", Title: "", Description: "\xff", Input: json.RawMessage("{"), Priority: "asap", AgentID: "a.b",
		Capabilities: []string{""}, Metadata: map[string]string{"b": "\xff", "a": "\xff"}, ParentID: "a b",
		CorrelationID: text(257), FairnessKey: text(65), Budget: json.RawMessage("{"),
		Retry:    &sdk.Retry{MaxAttempts: 101, InitialIntervalMs: 99, BackoffCoefficient: 11, MaxIntervalMs: 99},
		Timeouts: &sdk.Timeouts{QueueMs: 1, AttemptMs: 1, TotalMs: 1, HeartbeatMs: 1, InputMs: 1},
		Fallback: []sdk.Stage{{Role: "X", AgentID: ".", Model: text(257), Retry: &sdk.Retry{MaxAttempts: -1}, Timeouts: &sdk.StageTimeouts{QueueMs: 1, AttemptMs: 1, HeartbeatMs: 1}}},
	})
	want := []string{
		"$.type", "$.role", "$.title", "$.description", "$.input", "$.budget", "$.priority", "$.agentId", "$.parentId",
		"$.capabilities[0]", `$.metadata["a"]`, `$.metadata["b"]`, "$.correlationId", "$.fairnessKey",
		"$.retry.maxAttempts", "$.retry.initialIntervalMs", "$.retry.backoffCoefficient", "$.retry.maxIntervalMs",
		"$.timeouts.queueMs", "$.timeouts.attemptMs", "$.timeouts.totalMs", "$.timeouts.heartbeatMs", "$.timeouts.inputMs",
		"$.fallback[0].role", "$.fallback[0].agentId", "$.fallback[0].model", "$.fallback[0].retry.maxAttempts",
		"$.fallback[0].timeouts.queueMs", "$.fallback[0].timeouts.attemptMs", "$.fallback[0].timeouts.heartbeatMs",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(got)))) != len(got) {
		t.Error("a field is named twice")
	}
}

// TestIDs keeps names that an engine would read as something else out of it.
func TestIDs(t *testing.T) {
	t.Parallel()
	good := []string{"a", "A1", "0", "a-b_c", text(128)}
	bad := []string{"", "-a", "_a", "a.b", "a:b", "a b", "a/b", "..", "*", ">", "a%2e", "ä", "a\n", "a\x00", text(129)}
	for want, ids := range map[bool][]string{true: good, false: bad} {
		for _, id := range ids {
			if sdk.ValidID(id) != want {
				t.Errorf("ValidID(%q) = %v", id, !want)
			}
		}
	}
	projects := map[string]bool{"a": true, "0a": true, "a-b_c": true, text(63): true, text(64): false, "": false, "A": false, "a.b": false, "a:b": false, "-a": false, "a\n": false}
	for _, id := range slices.Sorted(maps.Keys(projects)) {
		if got := sdk.ValidProject(id); got != projects[id] {
			t.Errorf("ValidProject(%q) = %v", id, got)
		}
	}
}
