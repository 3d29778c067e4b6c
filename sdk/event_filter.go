package sdk

import (
	"net/url"
	"strconv"
	"time"
)

// EventFilter chooses events of the project's log, and where reading begins. What is left out chooses all; several fields choose what
// meets all of them.
type EventFilter struct {
	Types   EventPatterns // any of them; see [ParseEventPatterns]
	Subject string        // exactly this one, such as task/<id>

	// At most one of the next three says where reading begins. Without any [Client.Subscribe] begins now and [Client.Events] with the
	// first event that is kept.
	After     string    // after this [Event.Sequence]; where what follows it is not kept any more that is history_expired
	Since     time.Time // with the first event that the log took at this time or later
	FromStart bool      // with the first event that is kept

	Until time.Time // for pages only: events that the log took before this time; zero is any
	Limit int       // for pages only: events of one page, 1 to [MaxPage]; 0 is [DefaultPage]. It is no part of what is chosen
}

// Validate checks the filter and answers nil or an [Error] of code invalid_input whose Faults name each wrong field as the API's
// parameter.
func (f EventFilter) Validate() error {
	var wrong faults
	wrong.patterns("query.types", f.Types)
	if len(f.Subject) > MaxEventSubject {
		wrong.add("query.subject", "must have at most %d bytes", MaxEventSubject)
	}
	given := 0
	if f.After != "" {
		given++
		if _, err := ParseSequence(f.After); err != nil {
			wrong.add("query.after", "must be the sequence of an event: a whole number of at most 20 digits")
		}
	}
	if !f.Since.IsZero() {
		given++
		wrong.moment("query.since", f.Since)
	}
	if f.FromStart {
		given++
	}
	if given > 1 {
		wrong.add("query.after", "can not be given together with a time or the start: one of them says where reading begins")
	}
	if !f.Until.IsZero() {
		wrong.moment("query.until", f.Until)
	}
	if f.Limit < 0 || f.Limit > MaxPage {
		wrong.add("query.limit", "must be a whole number from 1 to %d", MaxPage)
	}
	return wrong.err()
}

// followable is Validate for a filter of what comes.
func (f EventFilter) followable() error {
	var wrong faults
	if !f.Until.IsZero() {
		wrong.add("query.until", "is for pages of events: a stream goes on until its reader ends it")
	}
	if f.Limit != 0 {
		wrong.add("query.limit", "is for pages of events: a stream goes on until its reader ends it")
	}
	if err := wrong.err(); err != nil {
		return err
	}
	return f.Validate()
}

// query is what the filter chooses as parameters of the API, without where reading begins.
func (f EventFilter) query() url.Values {
	q := url.Values{}
	if len(f.Types) > 0 {
		q.Set("types", f.Types.String())
	}
	if f.Subject != "" {
		q.Set("subject", f.Subject)
	}
	if !f.Until.IsZero() {
		q.Set("until", f.Until.UTC().Format(time.RFC3339Nano))
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

// begin is where reading begins as a parameter of the API; name is "" for where it begins by itself.
func (f EventFilter) begin() (name, value string) {
	switch {
	case f.After != "":
		return "after", f.After
	case !f.Since.IsZero():
		return "since", f.Since.UTC().Format(time.RFC3339Nano)
	default:
		return "", ""
	}
}

func (f *faults) patterns(path string, l EventPatterns) {
	for _, p := range l {
		if !p.Valid() {
			f.add(path, "%q is not a type such as task.completed, code.* or *", p)
		}
	}
	if len(l) > MaxEventPatterns {
		f.add(path, "must have at most %d patterns", MaxEventPatterns)
	}
}

func (f *faults) moment(path string, t time.Time) {
	if year := t.UTC().Year(); year < 1970 || year > 2200 {
		f.add(path, "must be a time from 1970 to 2200")
	}
}
