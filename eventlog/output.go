package eventlog

import (
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	outputPrefix = "ro." // below it the live output of ro.<project>.<task id>
	outputQueue  = 32    // calls that may wait for one who follows; more are dropped
)

// Output follows the live output of one task. What comes while its queue is full is dropped.
type Output struct {
	sub     *nats.Subscription
	queue   chan []byte
	dropped atomic.Int64
}

func outputSubject(project, task string) (string, error) {
	if !sdk.ValidProject(project) || !sdk.ValidID(task) {
		return "", sdk.Errorf(sdk.CodeInternal, "live output of the task %q of the project %q", task, project)
	}
	return outputPrefix + project + "." + task, nil
}

// PublishOutput gives live output of a task to those who follow it now, and keeps nothing. It does not wait for anybody.
func (l *Log) PublishOutput(project, task string, data []byte) error {
	subject, err := outputSubject(project, task)
	if err != nil {
		return err
	}
	return fault(l.life, l.nc.Publish(subject, data))
}

// FollowOutput follows what is given to PublishOutput from now on, here and in other processes. Call [Output.Close] when done.
func (l *Log) FollowOutput(project, task string) (*Output, error) {
	subject, err := outputSubject(project, task)
	if err != nil {
		return nil, err
	}
	o := &Output{queue: make(chan []byte, outputQueue)}
	if o.sub, err = l.nc.Subscribe(subject, o.offer); err != nil {
		return nil, fault(l.life, err)
	}
	return o, nil
}

func (o *Output) offer(m *nats.Msg) {
	select {
	case o.queue <- m.Data:
	default:
		o.dropped.Add(1)
	}
}

// C gives what comes. It is never closed.
func (o *Output) C() <-chan []byte { return o.queue }

// Dropped is how many calls were dropped.
func (o *Output) Dropped() int64 { return o.dropped.Load() }

// Close ends it.
func (o *Output) Close() { _ = o.sub.Unsubscribe() } // it fails only where the connection is closed
