package main

import (
	"strings"
	"testing"
)

// TestWrongFlagsSendNothing: what is refused here has changed nothing there.
func TestWrongFlagsSendNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"a negative wait":         {runIt("--wait", "--wait-timeout", "-1s"), "--wait-timeout"},
		"a negative wait alone":   {runIt("--wait-timeout", "-1s"), "--wait-timeout"},
		"a negative wait, cancel": {[]string{"task", "cancel", "t1", "--wait-timeout", "-1s"}, "--wait-timeout"},
		"a capability":            {runIt("--capability", ""), "$.capabilities[0]"},
		"no parent's id":          {runIt("--parent-id", "a b"), "$.parentId"},
		"detached from nothing":   {runIt("--detached"), "$.detached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serving(t, taskIn("running", nil))
			got := rolecall(t, s.URL, "", tc.args...)
			if got.code != exitUsage || !strings.Contains(got.stderr, tc.says) || got.stdout != "" {
				t.Errorf("%+v", got)
			}
			if posts := s.posted(); len(posts) != 0 {
				t.Errorf("posted %+v", posts)
			}
		})
	}
}
