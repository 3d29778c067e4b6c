package eventlog

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	scanEvents = 50_000 // looked at for one page
	scanTime   = 2 * time.Second
)

// Query asks for a page of what is kept.
type Query struct {
	Filter
	From  Position
	Until time.Time // what the log took later is left out; zero is no bound
	Limit int       // events in the page, at least 1
	Bytes int       // of the events in the page, beyond which it takes no more; 0 is no bound
	// UpTo is the last sequence that is looked at; 0 is no bound.
	UpTo uint64
	// Newest is how many of the newest events up to there are looked at, whatever the filter chooses of them; 0 is all.
	Newest uint64
}

// Page is a part of the log, oldest first.
type Page struct {
	Records []*Record
	Next    uint64 // read on after this sequence
	More    bool   // whether there may be more; a page can be short, even empty, where the filter leaves much out
	Begin   uint64 // it was read on after this sequence
	Cut     bool   // whether there are older ones than Newest lets it look at
}

// Read answers a page. A project that nothing was written to has no events.
func (l *Log) Read(ctx context.Context, project string, q Query) (Page, error) {
	p, err := l.project(project)
	if err != nil {
		return Page{}, err
	}
	if err := q.check(); err != nil {
		return Page{}, err
	}
	s, err := p.find(ctx)
	if err != nil {
		return Page{}, fault(ctx, err)
	}
	if s == nil {
		return Page{}, extent{first: 1}.has(q.From.after)
	}
	page, err := p.read(ctx, s, q)
	if isGone(err) {
		p.lost(err)
		return Page{}, extent{first: 1}.has(q.From.after)
	}
	return page, fault(ctx, err)
}

func (p *project) read(ctx context.Context, s jetstream.Stream, q Query) (Page, error) {
	e, err := p.log.extent(ctx, s)
	if err != nil {
		return Page{}, err
	}
	cut := false
	from, err := p.start(ctx, q.From, e)
	if err != nil {
		return Page{}, err
	}
	if q.UpTo > 0 {
		e.last = min(e.last, q.UpTo)
	}
	if q.Newest > 0 && e.last > q.Newest && from.after < e.last-q.Newest {
		from, cut = start{after: e.last - q.Newest, loose: true}, true
	}
	upTo, err := p.end(ctx, q.Filter, e.last)
	if err != nil {
		return Page{}, err
	}
	page := Page{Next: max(from.after, e.last), Begin: from.after, Cut: cut}
	if upTo <= from.after {
		return page, nil
	}
	r := p.log.newReader(reading{stream: s, subject: q.subject(p.id), from: from, upTo: upTo, created: e.created})
	defer r.close()
	began, seen, bytes := time.Now(), 0, 0
	for {
		part, err := r.page(ctx)
		if err != nil {
			return Page{}, err
		}
		if len(part) == 0 {
			return page, nil
		}
		for _, t := range part {
			if !q.Until.IsZero() && t.at.After(q.Until) {
				return page, nil
			}
			if !q.match(t.Record) || t.at.Before(q.From.since) {
				continue
			}
			if n := len(page.Records); n == q.Limit || q.Bytes > 0 && bytes > q.Bytes {
				page.Next, page.More = page.Records[n-1].Sequence, true
				return page, nil
			}
			page.Records, bytes = append(page.Records, t.Record), bytes+len(t.Data)
		}
		if seen += len(part); seen >= scanEvents || time.Since(began) > scanTime {
			page.Next, page.More = r.at, true
			return page, nil
		}
	}
}

// end is the last position that reading by the filter can come to, as the stream's leader knows it.
func (p *project) end(ctx context.Context, f Filter, last uint64) (uint64, error) {
	subject := f.subject(p.id)
	if subject == everything(p.id) {
		return last, nil
	}
	r, err := p.log.look(ctx, streamName(p.id), ask{Last: subject})
	if err != nil || r == nil {
		return 0, err
	}
	return min(r.Sequence, last), nil
}

// Terminal answers the last event of a story if it is of one of the types, else nil.
func (l *Log) Terminal(ctx context.Context, project string, story Story, types ...sdk.EventType) (*Record, error) {
	if _, err := l.project(project); err != nil {
		return nil, err
	}
	if err := (Filter{Story: &story}).check(); err != nil {
		return nil, err
	}
	r, err := l.look(ctx, streamName(project), ask{Last: storySubject(keptPrefix, project, story)})
	if isGone(err) || err == nil && r == nil {
		return nil, nil //nolint:nilnil // that nothing was told is an answer
	}
	if err != nil {
		return nil, fault(ctx, err)
	}
	if slices.Contains(types, r.Type) {
		return r, nil
	}
	return nil, nil //nolint:nilnil // that the story has not ended is an answer
}
