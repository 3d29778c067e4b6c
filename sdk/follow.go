package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"
)

const (
	// longestPause is the longest pause before a stream is opened again, unless the service asks for more.
	longestPause = 10 * time.Second
	// firstMoves is how often a stream from the start is opened anew since retention overtook its opening.
	firstMoves = 5
)

// follow follows a stream over as many connections as it takes. It is for one goroutine.
type follow struct {
	client      *Client
	path        []string
	filter      EventFilter
	story       bool                                          // from the first event of one thing to its last
	over        func(context.Context) (ended bool, err error) // whether the thing of a story has ended; asked when nothing is told of it
	now         bool                                          // of a session's story: from what comes next on
	live        bool                                          // the stream has live output
	pushed      bool                                          // see Pushed
	output      func(TaskOutput)
	interrupted func(error)

	conn  *connection
	retry backoff
	known bool      // whether at is
	at    uint64    // everything up to here was answered or left out
	began bool      // it was open: what comes next was promised
	since time.Time // when it was opened first, by the service's clock; zero where that did not say
	moves int       // how often its beginning was moved to the first event that is kept
	quiet bool      // the connection has brought nothing
	ends  int       // how many connections on end were quiet to their end, of a thing that has ended
	told  bool      // the story has come to its end
}

// following is a stream that is followed, and how what it tells is read.
type following[E any] struct {
	*follow
	// read answers what a frame tells, nil where that is none of it, and whether it is the last of a story.
	read func(frame) (e *E, last bool, err error)
	// fresh reports whether an event was not answered before, which its position alone does not tell; nil: that tells it.
	fresh func(*E) bool
}

func (c *Client) follow(filter EventFilter, opts []FollowOption, path ...string) *follow {
	f := &follow{client: c, filter: filter, path: path, retry: backoff{initial: 100 * time.Millisecond, limit: longestPause}}
	for _, o := range opts {
		o(f)
	}
	return f
}

// start takes where the filter begins for the position.
func (f *follow) start() error {
	if f.filter.After == "" {
		return nil
	}
	at, err := ParseSequence(f.filter.After)
	f.at, f.known = at, err == nil && (at > 0 || !f.story) // a story begins with its first event wherever that is
	return err
}

// events answers what comes. The first opening is tried as often as any call; once open, the stream is opened again for ever.
func (f following[E]) events(ctx context.Context) iter.Seq2[*E, error] {
	return func(yield func(*E, error) bool) {
		defer f.hangUp()
		if f.conn == nil {
			if err := f.open(ctx, maxSends); err != nil {
				f.ended(err, yield)
				return
			}
		}
		for !f.told {
			e, err := f.next(ctx)
			if err != nil {
				f.ended(err, yield)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// ended tells why there is no more, unless all was told.
func (f following[E]) ended(err error, yield func(*E, error) bool) {
	switch {
	case !errors.Is(err, errTold):
		yield(nil, err)
	case !f.story:
		yield(nil, Errorf(CodeInternal, "%s ended, which a stream of a project's events does not", f.url()))
	}
}

// next answers the next event, or errTold where there is none any more.
func (f following[E]) next(ctx context.Context) (*E, error) {
	for {
		if f.conn == nil {
			if err := f.open(ctx, 0); err != nil {
				return nil, err
			}
		}
		fr, err := f.conn.next()
		if err == nil {
			if e, err := f.take(fr); e != nil || err != nil {
				return e, err
			}
			continue
		}
		if ended := ctx.Err(); ended != nil {
			return nil, fmt.Errorf("following %s: %w", f.url(), ended)
		}
		if errors.Is(err, ErrPayloadTooLarge) {
			return nil, err // it would come again
		}
		over, refused := f.cut(ctx, err)
		switch {
		case refused != nil:
			return nil, refused
		case over:
			return nil, errTold
		}
		if err := f.pause(ctx, &Error{Code: CodeUnavailable, Message: "the stream was cut: " + err.Error(), Cause: err}); err != nil {
			return nil, err
		}
	}
}

// quietEnds are how many streams of a story, one after the other, have to end without a word until there is nothing more.
const quietEnds = 2

// cut closes a connection that has ended. It reports whether there is nothing more: the service ends the stream of a story without a word
// when the thing has ended and no more of it will be told. One such stream can be of a service that is stopping, or of a proxy that is.
func (f *follow) cut(ctx context.Context, why error) (over bool, err error) {
	if time.Since(f.conn.opened) > longestPause {
		f.retry.reset()
	}
	f.hangUp()
	before := f.ends
	f.ends = 0
	if !f.story || !f.quiet || !errors.Is(why, io.EOF) {
		return false, nil
	}
	ended, err := f.over(ctx)
	if err != nil {
		if transient(err) {
			err = nil
		}
		return false, err
	}
	if ended {
		f.ends = before + 1
	}
	return f.ends == quietEnds, nil
}

// open opens the stream; tries bounds how often it is tried, 0 is for ever.
func (f *follow) open(ctx context.Context, tries int) error {
	for tried := 1; ; tried++ {
		lastID := ""
		if f.known {
			lastID = FormatSequence(f.at)
		}
		conn, err := f.client.connect(ctx, f.url(), lastID)
		if err == nil {
			f.conn, f.quiet = conn, true
			if !f.began {
				f.began, f.since = true, conn.date
			}
			return nil
		}
		if f.moved(err) {
			continue
		}
		if ctx.Err() != nil || !transient(err) || tried == tries {
			return err
		}
		if err := f.pause(ctx, err); err != nil {
			return err
		}
	}
}

// moved reports whether a stream of all that is kept can begin anew, since its first event is another by now.
func (f *follow) moved(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != CodeHistoryExpired || e.FirstSequence == 0 || !f.filter.FromStart || f.began || f.moves == firstMoves {
		return false
	}
	f.moves++
	f.at, f.known = e.FirstSequence-1, true
	return true
}

// pause waits before the stream is opened again.
func (f *follow) pause(ctx context.Context, why error) error {
	if f.interrupted != nil {
		f.interrupted(why)
	}
	d, _ := f.retry.next(why) // an impatient caller has a deadline in ctx
	if stopped := sleep(ctx, d); stopped != nil {
		return fmt.Errorf("following %s: %w (last: %w)", f.url(), stopped, why)
	}
	return nil
}

func (f *follow) hangUp() {
	if f.conn != nil {
		f.conn.close()
		f.conn = nil
	}
}

// url is the address of the stream. Where it begins is left out once its position is known.
func (f *follow) url() string {
	q := f.filter.query()
	if f.output != nil && f.live {
		q.Set("output", "1")
	}
	if !f.known {
		f.begin(q)
	}
	return f.client.address(q, f.path...)
}

func (f *follow) begin(q url.Values) {
	switch {
	case f.story:
		if f.now {
			q.Set("after", "now")
		}
	case f.filter.FromStart:
		q.Set("after", "0")
	case !f.filter.Since.IsZero():
		q.Set("since", f.filter.Since.UTC().Format(time.RFC3339Nano))
	case !f.since.IsZero(): // nothing has come yet of what was to come
		q.Set("since", f.since.UTC().Format(time.RFC3339Nano))
	}
}

// take answers the event of a frame, nil where it holds none that is new.
func (f following[E]) take(fr frame) (*E, error) {
	if len(fr.data) == 0 {
		f.advance(fr.id)
		return nil, nil
	}
	f.quiet = false
	e, last, err := f.read(fr)
	if e == nil {
		return nil, f.control(fr, err)
	}
	f.retry.reset()
	if fr.id != "" && !f.advance(fr.id) {
		return nil, nil
	}
	if f.fresh != nil && !f.fresh(e) && !last {
		return nil, nil
	}
	f.told = f.story && last
	return e, nil
}

// control takes a frame that is no event, since its data can not be read as one or is none.
func (f *follow) control(fr frame, unread error) error {
	switch fr.name {
	case "output":
		var o TaskOutput
		if f.output != nil && json.Unmarshal(fr.data, &o) == nil {
			f.output(o)
		}
		return nil
	case "resume": // the service is stopping, or cuts a slow reader off: it is gone on with where the last event was
		return nil
	case "gone":
		header := http.Header{"Content-Type": {ProblemContentType}}
		return ErrorFromProblem(http.StatusGone, header, fr.data)
	}
	if fr.id == "" {
		return nil // of a newer service, and nothing that is kept
	}
	return &Error{Code: CodeInternal, Message: fmt.Sprintf("%s sent what is no event", f.url()), Cause: unread}
}

// advance moves the position on; it reports false for where it has been.
func (f *follow) advance(id string) bool {
	n, err := ParseSequence(id)
	if err != nil || f.known && n <= f.at {
		return false
	}
	f.at, f.known = n, true
	return true
}
