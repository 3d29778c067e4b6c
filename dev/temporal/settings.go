package temporal

import (
	"sync/atomic"
	"time"

	"go.temporal.io/server/common/dynamicconfig"
)

// settings are the server's dynamic configuration: what makes one machine with one shard quick, and what the server does not
// switch on by itself. A production cluster may have none of it.
func settings() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// The default of 20 a second and shard makes each of a short run's three hops wait for a 50 ms slot.
		dynamicconfig.TransferProcessorMaxPollRPS.Key(): 200,
		// The same limit for timers and for visibility: a list follows its runs at once.
		dynamicconfig.TimerProcessorMaxPollRPS.Key():      200,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key(): 200,
		// Timers may fire this much late; the default of 1 s swallows shorter retry delays.
		dynamicconfig.TimerProcessorMaxTimeShift.Key(): 50 * time.Millisecond,
		// A wait for the end of a run that missed its wake-up asks again after this long, instead of 20 s.
		dynamicconfig.HistoryLongPollExpirationInterval.Key(): time.Second,
		// One partition keeps the order of priorities strict; four only cost on one machine.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		// Fairness keys count.
		dynamicconfig.MatchingEnableFairness.Key(): true,
		// A cancellation is pushed to the worker at once, whatever its heartbeat throttle; both are needed.
		dynamicconfig.EnableCancelActivityWorkerCommand.Key(): true,
		dynamicconfig.WorkerCommandsEnabled.Key():             true,
		// A worker that stops has its polls ended by the server, which with one partition loses no task; otherwise they run out.
		dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key(): true,
		// The default of 10 list calls a second is little for a UI, an API and tests together.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 200,
		// The default of 128,000 cached runs is sized for a cluster's machine.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 8096,
	}
}

// dynamic is the server's dynamic configuration: settings, and whether search attributes are read from the database each time they are
// used. That costs every start, read and end of a run a look at it, one at a time; without it the server's services take over what was
// added to a namespace in their own time, seconds later on a busy machine, and nobody outside can see whether all of them have. So it is
// on in a server that had attributes to add to a namespace that was there already, until it ends.
type dynamic struct {
	dynamicconfig.StaticClient
	afresh atomic.Bool
}

// GetValue answers a setting's value.
func (d *dynamic) GetValue(key dynamicconfig.Key) []dynamicconfig.ConstrainedValue {
	if key == dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key() {
		return []dynamicconfig.ConstrainedValue{{Value: d.afresh.Load()}}
	}
	return d.StaticClient.GetValue(key)
}
