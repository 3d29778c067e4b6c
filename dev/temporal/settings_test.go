package temporal

import (
	"testing"

	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
)

func TestSearchAttributesAreReadAfreshAtFirstOnly(t *testing.T) {
	t.Parallel()
	d := &dynamic{StaticClient: settings()}
	c := dynamicconfig.NewCollection(d, log.NewNoopLogger())
	afresh := dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Get(c)
	if !afresh() {
		t.Error("a new server does not read search attributes afresh: one that was just added could not be used")
	}
	d.settled.Store(true)
	if afresh() {
		t.Error("a settled server reads search attributes afresh each time")
	}
	if got := dynamicconfig.TransferProcessorMaxPollRPS.Get(c)(); got != 200 {
		t.Errorf("another setting is %d, want what settings says", got)
	}
}
