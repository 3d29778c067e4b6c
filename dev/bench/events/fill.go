package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	taskPrefix  = "bench-"
	tasksAtOnce = 10_000
	fillersMost = 200 // calls at once: the log writes what waits together
)

// fill writes the log that is replayed: the stories of tasks, each at once.
func fill(ctx context.Context, log *eventlog.Log, tasks int, say func(string)) error {
	began := time.Now()
	for from := 0; from < tasks; from += tasksAtOnce {
		upTo := min(from+tasksAtOnce, tasks)
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(fillersMost)
		for task := from; task < upTo; task++ {
			group.Go(func() error { return tell(ctx, log, task) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		say(fmt.Sprintf("%d events of %d tasks written in %s", upTo*eventsOfTask, upTo, time.Since(began).Round(time.Second)))
	}
	return nil
}

// tell writes a task's story.
func tell(ctx context.Context, log *eventlog.Log, task int) error {
	id := fmt.Sprintf("%s%d", taskPrefix, task)
	events := make([]sdk.Event, eventsOfTask)
	for i := range events {
		var err error
		if events[i], err = storyEvent(id, i+1); err != nil {
			return err
		}
	}
	return log.AppendStory(ctx, replayed, eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindTask, ID: id}, Events: events})
}

// storyEvent is the n-th event of a task.
func storyEvent(task string, n int) (sdk.Event, error) {
	types := [eventsOfTask]sdk.EventType{sdk.EventTaskCreated, sdk.EventTaskAssigned, sdk.EventTaskStarted, 9: sdk.EventTaskCompleted}
	t := types[n-1]
	if t == "" {
		t = sdk.EventTaskProgress
	}
	data, err := json.Marshal(map[string]any{
		"type": "code.write", "role": "coder", "stage": 0, "attempt": 1, "percentage": n * 10, "phase": "implementing", "message": say,
	})
	return sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: fmt.Sprintf("%s.%d", task, n), Source: "/projects/" + replayed + "/tasks/" + task, Type: t,
		Subject: "task/" + task, Time: time.Now(), DataContentType: "application/json", Organization: "default", Project: replayed, Task: task,
		Seq: n, Data: data,
	}, err
}
