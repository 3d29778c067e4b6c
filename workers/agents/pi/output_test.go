package pi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
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
	s := newStream(4096, v, nil)
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

// What is cut to be shown is redacted before.
func TestASecretAtACutIsShownInNoPart(t *testing.T) {
	t.Parallel()
	secret := "password: hunter2xyz " + "sk-" + "ant-a1B2c3D4e5F6g7H8i9"
	for n := range 2 * len(secret) {
		heard := &teller{}
		s := newStream(4096, heard, redact.Default())
		command := strings.Repeat("x", maxArgument-n) + " " + secret
		result := secret + " " + strings.Repeat("x", maxLastLine-n)
		for _, line := range []string{
			`{"type":"tool_execution_start","toolCallId":"a","toolName":"bash","args":{"command":"` + command + `"}}`,
			`{"type":"tool_execution_end","toolCallId":"a","toolName":"bash","isError":true,"result":{"content":[{"type":"text","text":"` + result + `"}]}}`,
		} {
			if _, err := s.Write([]byte(line + "\n")); err != nil {
				t.Fatal(err)
			}
		}
		said := strings.Join(heard.lines, "\n")
		if len(heard.lines) != 2 {
			t.Fatalf("%s", said)
		}
		for _, part := range []string{"hunt", "xyz", "a1B2", "H8i9"} {
			if strings.Contains(said, part) {
				t.Errorf("cut at %d: %s", n, said)
			}
		}
	}
}
