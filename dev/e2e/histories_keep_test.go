package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rolecall-dev/rolecall/dev"
)

// keep writes a history as the Temporal command line does (temporal workflow show --output json). It refuses one that tells of the
// machine it was recorded on: nothing is taken out of a history, it must not get in.
func keep(t *testing.T, name string, h *historypb.History) {
	t.Helper()
	raw, err := protojson.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if found := tellsOfTheMachine(t, raw); len(found) > 0 {
		t.Fatalf("the history %s holds %q", name, found)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil { // protojson's own spaces differ from build to build
		t.Fatal(err)
	}
	b.WriteByte('\n')
	file := filepath.Join(keptIn(t), name+".json")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d events, %d bytes", name, len(h.GetEvents()), b.Len())
}

// identities are who may be named in a kept history.
var identities = []string{"api", "control", "worker-1", "worker-2"}

// tellsOfTheMachine lists what a history says of the machine, its people and its folders, payloads included.
func tellsOfTheMachine(t *testing.T, raw []byte) (found []string) {
	t.Helper()
	root, err := dev.Root()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for _, data := range regexp.MustCompile(`"data": ?"([^"]*)"`).FindAllStringSubmatch(text, -1) {
		decoded, err := base64.StdEncoding.DecodeString(data[1])
		if err != nil {
			t.Fatalf("a payload is not in base64: %v", err)
		}
		text += "\n" + string(decoded)
	}
	for _, word := range []string{root, host, home + "/", os.TempDir()} {
		if strings.Contains(text, word) {
			found = append(found, word)
		}
	}
	for _, who := range regexp.MustCompile(`"identity": ?"([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(identities, who[1]) && !slices.Contains(found, who[1]) {
			found = append(found, who[1])
		}
	}
	return found
}
