package apiserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	errorScanParts  = 10   // of the log, looked at for one answer
	errorScanPart   = 5000 // events in one, which are looked at together, beginning with the newest
	errorScanTime   = 2 * time.Second
	errorScanPage   = 500
	maxErrorGroups  = 5000
	maxErrorMessage = 1 << 10 // bytes of a group's message
)

// errorGroups are failures by fingerprint.
type errorGroups struct {
	part   int // as errorScanPart
	groups map[string]*sdk.ErrorGroup
	full   bool // there were more than maxErrorGroups; what came later of new ones is left out
}

func newErrorGroups(part int) *errorGroups {
	return &errorGroups{part: part, groups: map[string]*sdk.ErrorGroup{}}
}

// failureTypes are the events that tell of an attempt's failure: the task's end, the next attempt, or the next stage follows it.
func failureTypes() sdk.EventPatterns {
	return sdk.EventPatterns{sdk.EventPattern(sdk.EventTaskFailed), sdk.EventPattern(sdk.EventTaskRetrying), sdk.EventPattern(sdk.EventTaskFallback)}
}

// read enters the failures that the log took since a time, the newest first. truncated says that there were too many events to look at
// all of them: the oldest are missing then.
func (g *errorGroups) read(ctx context.Context, log *eventlog.Log, project string, since time.Time) (truncated bool, err error) {
	began := time.Now()
	part := eventlog.Query{Filter: eventlog.Filter{Types: failureTypes()}, From: eventlog.Since(since), Limit: errorScanPage, Newest: uint64(g.part)}
	for range errorScanParts {
		begin, older, err := g.readPart(ctx, log, project, part)
		if err != nil {
			return false, err
		}
		if !older || begin == 0 {
			return g.full, nil
		}
		if time.Since(began) >= errorScanTime {
			return true, nil
		}
		part.UpTo = begin
	}
	return true, nil
}

// readPart enters the failures of one part of the log, and answers after which sequence it begins and whether there is more before.
func (g *errorGroups) readPart(ctx context.Context, log *eventlog.Log, project string, q eventlog.Query) (begin uint64, older bool, err error) {
	for first, until := true, time.Now().Add(errorScanTime); ; {
		page, err := log.Read(ctx, project, q)
		if gone, ok := errors.AsType[*sdk.Error](err); ok && gone.Code == sdk.CodeHistoryExpired {
			if gone.FirstSequence == 0 || q.UpTo > 0 && gone.FirstSequence > q.UpTo || time.Now().After(until) {
				return 0, false, nil
			}
			q.From, q.Newest = eventlog.After(gone.FirstSequence-1), 0 // retention was faster: what is left counts, and nothing is before it
			first, older = false, false
			continue
		}
		if err != nil {
			return 0, false, err
		}
		if first {
			first = false
			begin, older, q.UpTo = page.Begin, page.Cut, cmp.Or(q.UpTo, page.Begin+uint64(g.part))
		}
		for _, r := range page.Records {
			g.add(r)
		}
		if !page.More {
			return begin, older, nil
		}
		q.From, q.Newest = eventlog.After(page.Next), 0
	}
}

// failure is what the data of the failure types says of one.
type failure struct {
	TaskID      string         `json:"taskId"`
	Role        sdk.Role       `json:"role"`
	FromRole    sdk.Role       `json:"fromRole"` // of task.fallback
	Outcome     sdk.Outcome    `json:"outcome"`
	Error       *sdk.TaskError `json:"error"`
	Fingerprint string         `json:"fingerprint"`
}

// add counts one event. An attempt that ended without an error, as one that was interrupted, is no failure, and what cannot be read
// tells of none.
func (g *errorGroups) add(r *eventlog.Record) {
	event, err := r.Event()
	if err != nil {
		return
	}
	var f failure
	if json.Unmarshal(event.Data, &f) != nil || f.Error == nil && f.Fingerprint == "" {
		return
	}
	one := sdk.ErrorGroup{Fingerprint: f.Fingerprint, Role: cmp.Or(f.Role, f.FromRole), FirstAt: event.Time.UTC(), LastAt: event.Time.UTC(), ExampleTask: f.TaskID}
	if f.Error != nil {
		one.Code, one.Message = f.Error.Code, sdk.Cut(f.Error.Message, maxErrorMessage)
	}
	g.enter(one)
}

func (g *errorGroups) enter(one sdk.ErrorGroup) {
	key := one.Fingerprint
	if key == "" { // what could not be told apart further
		key = "\x00" + string(one.Role) + "\x00" + string(one.Code)
	}
	known, ok := g.groups[key]
	if !ok && len(g.groups) >= maxErrorGroups {
		g.full = true
		return
	}
	if !ok {
		one.Count = 1
		g.groups[key] = &one
		return
	}
	one.Count, one.FirstAt = known.Count+1, earlier(known.FirstAt, one.FirstAt)
	if one.LastAt.Before(known.LastAt) { // the log has it later than it happened
		known.Count, known.FirstAt = one.Count, one.FirstAt
		return
	}
	*known = one
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// most answers the groups that have the most failures, of equally many those that came last.
func (g *errorGroups) most(limit int) []sdk.ErrorGroup {
	list := make([]sdk.ErrorGroup, 0, len(g.groups))
	for _, one := range g.groups {
		list = append(list, *one)
	}
	slices.SortFunc(list, func(a, b sdk.ErrorGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), b.LastAt.Compare(a.LastAt), strings.Compare(a.Fingerprint, b.Fingerprint))
	})
	return list[:min(limit, len(list))]
}
