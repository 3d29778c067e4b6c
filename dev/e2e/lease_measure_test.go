package e2e_test

import (
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

var measureLeases = flag.Int("measure-leases", 0, "rounds in which agents over HTTP are measured against a Go role worker; 0 is not at all")

// measuredSlots are those of either worker, and how many callers there are.
const measuredSlots = 50

// Short tasks by a Go role worker and by a worker over leases take turns in one run, with 50 slots and 50 callers.
func TestMeasureLeases(t *testing.T) {
	if *measureLeases == 0 {
		t.Skip("it measures, and takes minutes: -measure-leases 6")
	}
	s := newScene(t, sharedStack(t))
	quiet := slog.New(slog.DiscardHandler)
	handler := sdk.HandlerFunc(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
		return &sdk.Result{Output: json.RawMessage(`{"ok":true}`)}, nil
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var working sync.WaitGroup
	t.Cleanup(func() {
		stop()
		working.Wait()
	})
	working.Go(func() {
		if err := workers.RunRole(ctx, workers.Config{
			Project: s.project, Roles: []sdk.Role{sdk.RoleCoder}, AgentID: "go", Slots: measuredSlots, Logger: quiet,
			Temporal: client.Options{HostPort: s.stack.TemporalAddr()},
		}, handler); err != nil {
			t.Error(err)
		}
	})
	over, err := sdk.NewWorker(s.client, sdk.WorkerConfig{Roles: []sdk.Role{sdk.RoleTester}, AgentID: "http", Slots: measuredSlots, Logger: quiet})
	s.do(err)
	working.Go(func() {
		if err := over.StartProcessing(ctx, handler); err != nil {
			t.Error(err)
		}
	})
	for _, role := range []sdk.Role{sdk.RoleCoder, sdk.RoleTester} {
		s.do(dev.Until(ctx, patience, func(ctx context.Context) error {
			return dev.Polled(ctx, s.stack.Temporal(), workflows.RoleQueue(s.project, role), enums.TASK_QUEUE_TYPE_ACTIVITY, time.Time{})
		}))
		s.throughput(role, 100) // warm
	}
	var ratios []float64
	for n := range *measureLeases {
		order := []sdk.Role{sdk.RoleCoder, sdk.RoleTester}
		if n%2 == 1 {
			slices.Reverse(order)
		}
		rate := map[sdk.Role]float64{}
		for _, role := range order {
			rate[role] = s.throughput(role, 400)
		}
		ratios = append(ratios, rate[sdk.RoleTester]/rate[sdk.RoleCoder])
		t.Logf("round %d: %.1f tasks a second by a Go role worker, %.1f over HTTP: %.2f", n+1, rate[sdk.RoleCoder], rate[sdk.RoleTester], ratios[n])
	}
	slices.Sort(ratios)
	t.Logf("over HTTP against a Go role worker: median %.2f, least %.2f, most %.2f", ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
}

// throughput is how many tasks a second a role does for 50 callers who wait for each.
func (s *scene) throughput(role sdk.Role, tasks int) float64 {
	s.t.Helper()
	numbers := make(chan int, tasks)
	for n := range tasks {
		numbers <- n
	}
	close(numbers)
	began := time.Now()
	var callers sync.WaitGroup
	for range measuredSlots {
		callers.Go(func() {
			for range numbers {
				task, err := s.client.CreateTask(s.t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Role: role, Title: "Measured"})
				if err == nil {
					task, err = s.client.WaitForTask(s.t.Context(), task.ID)
				}
				if err != nil || task.Status != sdk.StatusCompleted {
					s.t.Errorf("%v, %v", task, err)
				}
			}
		})
	}
	callers.Wait()
	return float64(tasks) / time.Since(began).Seconds()
}
