package sdk

import (
	"strings"
	"testing"
)

func TestDefaultAgentIDIsAlwaysAnID(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"", "build-7.example.com", "_x", "мир", "a b\x00c", strings.Repeat("h", 300), "---"} {
		if id := defaultAgentID(host, 4194304); !ValidID(id) || !strings.HasSuffix(id, "-4194304") {
			t.Errorf("host %q makes the agent id %q", host, id)
		}
	}
}
