package command

import (
	"encoding/json"
	"fmt"
	"strings"
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
		if f != (sdk.OutputFrame{}) {
			v.frames = append(v.frames, fmt.Sprintf("%s|%s|%s", f.Text, f.Tool, f.Delta))
		}
	}
}

func TestWhatAProgramSaysIsShown(t *testing.T) {
	t.Parallel()
	v := &viewer{}
	s := newStream(64, 64, v)
	feed := `plain log
{"progress":{"percentage":1,"tool":"bash","delta":"hi"}}
{"progress":{"percentage":2}}
{"resume":{"x":1}}
` + strings.Repeat("x", 100) + `
{"result":{"output":1}}
end`
	if _, err := s.Write([]byte(feed)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"plain log||", "|bash|", "||hi", "end||"}, v.frames); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
