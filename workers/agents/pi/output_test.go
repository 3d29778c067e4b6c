package pi

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// viewer is a listener that is shown live output.
type viewer struct{ frames []string }

func (*viewer) Progress(sdk.Progress)        {}
func (*viewer) Resume(json.RawMessage) error { return nil }
func (v *viewer) Output(frames ...sdk.OutputFrame) {
	for _, f := range frames {
		v.frames = append(v.frames, fmt.Sprintf("%s|%s|%s", f.Text, f.Tool, f.Delta))
	}
}

func TestWhatTheModelSaysAndItsToolsAreShown(t *testing.T) {
	t.Parallel()
	v := &viewer{}
	s := newStream(4096, v)
	for _, line := range []string{
		`{"type":"agent_start"}`,
		`{"type":"message_update","assistantMessageEvent":{"type":"text_delta","contentIndex":0,"delta":"Hel"}}`,
		`{"type":"message_update","assistantMessageEvent":{"type":"text_delta","contentIndex":0,"delta":"lo"}}`,
		`{"type":"message_update","assistantMessageEvent":{"type":"thinking_delta","contentIndex":0,"delta":"hm"}}`,
		`{"type":"tool_execution_start","toolCallId":"a","toolName":"bash","args":{"command":"make test\nmake all"}}`,
		`{"type":"tool_execution_start","toolCallId":"b","toolName":"think","args":{}}`,
	} {
		if _, err := s.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"||Hel", "||lo", "|bash make test|", "|think|"}, v.frames); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
