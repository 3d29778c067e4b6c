package sdk_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestSendOutput(t *testing.T) {
	t.Parallel()
	calls, status := 0, http.StatusAccepted
	var path string
	var got sdk.TaskOutput
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		path = r.Method + " " + r.URL.Path
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	c, err := sdk.NewClient(sdk.Config{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	output := sdk.TaskOutput{Stage: 1, Attempt: 2, Frames: []sdk.OutputFrame{{Text: "<a>"}, {Delta: "b"}}}
	if err := c.SendOutput(t.Context(), "t1", output); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(output, got); diff != "" || path != "POST /v1/tasks/t1/output" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
	status = http.StatusServiceUnavailable
	if err := c.SendOutput(t.Context(), "t1", output); !errors.Is(err, sdk.ErrUnavailable) || calls != 2 {
		t.Errorf("%d calls, %v; want the second to be sent once and to fail", calls, err)
	}
	for _, wrong := range []error{
		c.SendOutput(t.Context(), "", output), c.SendOutput(t.Context(), "t1", sdk.TaskOutput{}),
		c.SendOutput(t.Context(), "t1", sdk.TaskOutput{Frames: make([]sdk.OutputFrame, sdk.MaxOutputFrames+1)}),
	} {
		if !errors.Is(wrong, sdk.ErrInvalidInput) {
			t.Errorf("%v, want invalid_input", wrong)
		}
	}
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
}
