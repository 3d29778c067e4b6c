package sdktest_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
	"github.com/rolecall-dev/rolecall/sdk/sdktest/conformance"
)

var update = flag.Bool("update", false, "write the tasks of package conformance anew")

// memory is the server as a target of the shared table.
type memory struct{ srv *sdktest.Server }

func (m memory) Client() *sdk.Client  { return m.srv.Client() }
func (m memory) Pass(d time.Duration) { m.srv.Clock().Advance(d) }

func (m memory) Agent(role sdk.Role, id string, h sdk.Handler, can ...string) (stop func()) {
	return m.srv.Agent(role, h, sdktest.AgentID(id), sdktest.Addressable(), sdktest.Capabilities(can...), sdktest.DrainGrace(0)).Stop
}

// TestMeetsTheTable holds the server in memory to the cases that dev/e2e holds the real one to. With -update the whole tasks are those of
// this server: run dev/e2e next.
func TestMeetsTheTable(t *testing.T) {
	t.Parallel()
	o := conformance.Options{Open: func(t *testing.T) conformance.Target { return memory{sdktest.New(t)} }}
	if *update {
		o.Record = func(name string, content []byte) error {
			return os.WriteFile(filepath.Join("conformance", "testdata", name), content, 0o644) //nolint:gosec // it is part of the source
		}
	}
	conformance.Run(t, o)
}
