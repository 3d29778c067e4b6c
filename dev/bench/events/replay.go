package events

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/dev/bench"
)

// Replay reads a log of tasks from its beginning.
type Replay struct {
	Places `json:"places"`
	Level  Level `json:"level"` // Raw or HTTP
	Tasks  int   `json:"tasks"` // each with its ten events
}

// Replayed is what its process measured.
type Replayed struct {
	Took  time.Duration `json:"tookNs"`
	First time.Duration `json:"firstNs"` // until the first event was there
	CPU   time.Duration `json:"cpuNs"`   // of the process, as a whole
}

const (
	replayed     = "replay" // the project
	replayBuffer = 1 << 20
	replayPull   = 500 // messages that the first level asks for ahead, as the event log does
)

func (r Replay) run(ctx context.Context) (Replayed, error) {
	read := r.overHTTP
	if r.Level == Raw {
		read = r.bare
	}
	got, err := read(ctx)
	got.CPU = bench.OwnCPU()
	return got, err
}

func (r Replay) overHTTP(ctx context.Context) (got Replayed, err error) {
	began := time.Now()
	s, err := follow(ctx, &http.Client{Transport: &http.Transport{DisableCompression: true}}, r.API+"/v1/events/stream?after=0", replayed, replayBuffer)
	if err != nil {
		return got, err
	}
	defer s.close()
	told := make(stories, r.Tasks)
	for n := range uint64(r.Tasks * eventsOfTask) {
		f, err := s.next()
		if err != nil {
			return got, fmt.Errorf("after %d events: %w", n, err)
		}
		if n == 0 {
			got.First = time.Since(began)
		}
		if f.id != n+1 {
			return got, fmt.Errorf("after event %d came event %d: %s %.200s", n, f.id, f.name, f.data)
		}
		if err := told.take(f.data); err != nil {
			return got, err
		}
	}
	got.Took = time.Since(began)
	return got, nil
}

// bare reads the same with a NATS client.
func (r Replay) bare(ctx context.Context) (got Replayed, err error) {
	nc, err := nats.Connect(r.NATS)
	if err != nil {
		return got, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return got, err
	}
	began := time.Now()
	c, err := js.CreateConsumer(ctx, "rolecall-"+replayed, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverAllPolicy, MemoryStorage: true, InactiveThreshold: 10 * time.Second,
	})
	if err != nil {
		return got, err
	}
	reading, told := make(chan error, 1), make(stories, r.Tasks)
	n, end := uint64(0), func(err error) {
		select {
		case reading <- err:
		default: // it has ended
		}
	}
	consuming, err := c.Consume(func(m jetstream.Msg) {
		if n++; n == 1 {
			got.First = time.Since(began)
		}
		meta, err := m.Metadata()
		if err == nil && meta.Sequence.Stream != n {
			err = fmt.Errorf("after event %d came event %d", n-1, meta.Sequence.Stream)
		}
		if err == nil {
			err = told.take(m.Data())
		}
		if err != nil || n == uint64(r.Tasks*eventsOfTask) {
			end(err)
		}
	}, jetstream.PullMaxMessages(replayPull), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { end(err) }))
	if err != nil {
		return got, err
	}
	select {
	case err = <-reading:
	case <-ctx.Done():
		err = ctx.Err()
	}
	got.Took = time.Since(began)
	consuming.Stop()
	<-consuming.Closed()
	return got, err
}

// stories is how many events of each task have come.
type stories []int

// take takes an event of a task, which has to be its next one. It looks for the two fields that it needs only.
func (s stories) take(event []byte) error {
	task, err1 := strconv.Atoi(strings.TrimPrefix(field(event, `"task":"`), taskPrefix))
	seq, err2 := strconv.Atoi(field(event, `"seq":`))
	if err1 != nil || err2 != nil || task < 0 || task >= len(s) {
		return fmt.Errorf("this is no event of a task that was filled in: %.200s", event)
	}
	if s[task]++; seq != s[task] {
		return fmt.Errorf("of task %d came event %d, not %d", task, seq, s[task])
	}
	return nil
}

// field is what stands between a name and the next quote, comma or brace.
func field(event []byte, name string) string {
	_, after, _ := bytes.Cut(event, []byte(name))
	if end := bytes.IndexAny(after, `",}`); end >= 0 {
		return string(after[:end])
	}
	return ""
}
