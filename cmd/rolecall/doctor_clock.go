package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
)

const (
	// clockWarns and clockWrong are how far a clock may be off before that is worth a remark, and before it is something to do.
	clockWarns = time.Second
	clockWrong = 2 * time.Second
	// clockQueue is the task queue on which Temporal's clock is read: nobody else asks it for work, and nothing is ever put there.
	clockQueue = "rolecall-doctor"
)

// clockSeen is how far another clock is ahead of this machine's: somewhere from AtLeastMs to AtMostMs, negative where it is behind.
type clockSeen struct {
	AtLeastMs int64 `json:"atLeastMs"`
	AtMostMs  int64 `json:"atMostMs"`
}

// off is how far the clock is off at least; negative where it is behind.
func (c *clockSeen) off() time.Duration {
	switch {
	case c == nil:
		return 0
	case c.AtLeastMs > 0:
		return time.Duration(c.AtLeastMs) * time.Millisecond
	case c.AtMostMs < 0:
		return time.Duration(c.AtMostMs) * time.Millisecond
	default:
		return 0
	}
}

// agrees reports whether two clocks can be the same.
func (c *clockSeen) agrees(other *clockSeen) bool {
	return c.AtLeastMs <= other.AtMostMs && other.AtLeastMs <= c.AtMostMs
}

// newClock is the clock of one that read a time from first to last between asked and answered of ours.
func newClock(first, last, asked, answered time.Time) *clockSeen {
	return &clockSeen{AtLeastMs: first.Sub(answered).Milliseconds(), AtMostMs: last.Sub(asked).Milliseconds()}
}

// serviceClock reads the API's clock from the Date of an answer, which tells the second; nil where there is none.
func serviceClock(ctx context.Context, url string) *clockSeen {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/healthz", nil)
	if err != nil {
		return nil
	}
	asked := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	answered := time.Now()
	_ = resp.Body.Close() // the answer's head is all that counts
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return nil
	}
	return newClock(date, date.Add(time.Second), asked, answered)
}

// temporalClock reads Temporal's clock: it asks a queue of its own for work and looks up when Temporal says that was. It leaves
// nothing but the empty queue; nil where Temporal does not tell.
func temporalClock(ctx context.Context, c workflowservice.WorkflowServiceClient, namespace string) *clockSeen {
	polling, cancel := context.WithTimeout(ctx, 20*time.Second) // Temporal warns of, or refuses, a poll that is short
	queue := &taskqueuepb.TaskQueue{Name: clockQueue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
	identity := clockQueue + "-" + rand.Text()
	ended := make(chan struct{})
	defer func() {
		cancel()
		<-ended
	}()
	asked := time.Now()
	go func() {
		defer close(ended)
		_, _ = c.PollActivityTaskQueue(polling, &workflowservice.PollActivityTaskQueueRequest{Namespace: namespace, TaskQueue: queue, Identity: identity})
	}()
	ctx, done := context.WithTimeout(ctx, 3*time.Second)
	defer done()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ended:
			return nil
		case <-ctx.Done():
			return nil
		}
		got, err := c.DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
			Namespace: namespace, TaskQueue: queue, TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
		})
		if err != nil {
			return nil
		}
		for _, p := range got.GetPollers() {
			if p.GetIdentity() == identity {
				at := p.GetLastAccessTime().AsTime()
				return newClock(at, at, asked, time.Now())
			}
		}
	}
}

// clockFaults says which clocks are off by least or more, and below most where that is not 0.
func clockFaults(e examination, least, most time.Duration) []finding {
	const advice = "let every machine follow a time service (NTP: chrony, systemd-timesyncd); deadlines are Temporal's, and times in tasks are of several clocks"
	service, temporal := e.Service.Clock, e.Temporal.Clock
	within := func(off time.Duration) bool { return off.Abs() >= least && (most == 0 || off.Abs() < most) }
	if service != nil && temporal != nil && service.agrees(temporal) && service.off() != 0 && temporal.off() != 0 {
		off := temporal.off()
		if other := service.off(); other.Abs() > off.Abs() {
			off = other
		}
		if within(off) {
			return []finding{{"this machine's clock is " + offText(-off) + " those of the API and of Temporal", advice}}
		}
		return nil
	}
	var found []finding
	if off := service.off(); within(off) {
		found = append(found, finding{"the API's clock is " + offText(off) + " this machine's", advice})
	}
	if off := temporal.off(); within(off) {
		found = append(found, finding{"Temporal's clock is " + offText(off) + " this machine's", advice})
	}
	return found
}

// offText is how far a clock is off.
func offText(off time.Duration) string {
	if off < 0 {
		return "at least " + span(-off) + " behind"
	}
	return "at least " + span(off) + " ahead of"
}

// clockText is what is known of the clocks, for people.
func clockText(e examination) string {
	var agree, told, unread []string
	for _, c := range []struct {
		whose string
		seen  *clockSeen
	}{{"the API's", e.Service.Clock}, {"Temporal's", e.Temporal.Clock}} {
		switch off := c.seen.off(); {
		case c.seen == nil:
			unread = append(unread, c.whose)
		case off.Abs() < clockWarns:
			agree = append(agree, c.whose)
		default:
			told = append(told, c.whose+" is "+offText(off)+" this machine's")
		}
	}
	if len(agree) > 0 {
		told = append([]string{"this machine's agrees with " + strings.Join(agree, " and ")}, told...)
	}
	if len(unread) > 0 {
		told = append(told, strings.Join(unread, " and ")+" could not be read")
	}
	return strings.Join(told, "; ")
}
