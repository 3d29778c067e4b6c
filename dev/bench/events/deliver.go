package events

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Deliver publishes events over HTTP at a steady pace. Halfway between two, when the followers have the last one, it writes the same
// to the reference's stream, to know what the write alone takes on the same machine at the same time.
type Deliver struct {
	Places `json:"places"`
	Run    string        `json:"run"` // what the followers know the events by
	Events int           `json:"events"`
	Every  time.Duration `json:"everyNs"`
}

// Sent is what its process measured, sorted.
type Sent struct {
	Acks   []time.Duration `json:"acksNs"`   // of each POST
	Writes []time.Duration `json:"writesNs"` // of each bare write
}

// parcel is the data of an event that followers are waiting for.
type parcel struct {
	Run    string `json:"run"`
	N      int    `json:"n"` // 1, 2, 3 …
	SentNs int64  `json:"sentNs"`
	Say    string `json:"say"`
}

func (d Deliver) run(ctx context.Context) (Sent, error) {
	var got Sent
	post, endPost, err := d.writer(ctx, HTTP, 1)
	if err != nil {
		return got, err
	}
	defer endPost()
	bare, endBare, err := d.writer(ctx, Raw, 1)
	if err != nil {
		return got, err
	}
	defer endBare()
	turn := time.NewTicker(d.Every / 2)
	defer turn.Stop()
	for n := 1; n <= d.Events+1; n++ { // the last one tells the followers that it is over
		for _, one := range []struct {
			do   write
			took *[]time.Duration
			id   string
		}{{post, &got.Acks, d.Run + "-" + strconv.Itoa(n)}, {bare, &got.Writes, d.Run + "-bare-" + strconv.Itoa(n)}} {
			select {
			case <-turn.C:
			case <-ctx.Done():
				return got, ctx.Err()
			}
			took, err := d.send(ctx, one.do, one.id, n)
			if err != nil {
				return got, err
			}
			*one.took = append(*one.took, took)
		}
	}
	slices.Sort(got.Acks)
	slices.Sort(got.Writes)
	return got, nil
}

func (d Deliver) send(ctx context.Context, do write, id string, n int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	began := time.Now()
	e, err := anEvent(id, delivered, parcel{Run: d.Run, N: n, SentNs: began.UnixNano(), Say: say})
	if err != nil {
		return 0, err
	}
	err = do(ctx, []sdk.Event{e})
	return time.Since(began), err
}
