package dev

import "context"

// TB is what [ForTest] needs of a *testing.T.
type TB interface {
	Helper()
	Name() string
	Context() context.Context
	Cleanup(func())
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// testLogLines is how much of each process's output a failed test shows.
const testLogLines = 60

// ForTest starts a stack for the time of a test, and shows the processes' logs when the test has failed.
func ForTest(t TB, o Options) *Stack {
	t.Helper()
	if o.Report == nil {
		o.Report = func(what string) { t.Logf("%s", what) }
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("start the stack: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the stack's logs:\n%s", s.Logs(testLogLines))
		}
		if err := s.Close(); err != nil {
			t.Errorf("close the stack: %v", err)
		}
	})
	return s
}
