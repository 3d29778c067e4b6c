package apiserver

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// maxCorrelationID bounds an event's correlation and causation, in bytes.
const maxCorrelationID = 256

// sentEvents are the events of a body, with everything that is wrong with it.
type sentEvents struct {
	events   []sdk.Event
	paths    []string // where in the body each of them is
	faults   faultList
	reserved bool // an event has a type of the server's own
}

// keyedFaults refuses an idempotency key for a list where some events have ids and some have not: the key answers for all of them, or the
// ids do.
func (s *sentEvents) keyedFaults() []sdk.Fault {
	if n := s.ownIDs(); n == 0 || n == len(s.events) {
		return nil
	}
	return []sdk.Fault{{Path: "header.Idempotency-Key", Message: "is for events that all have an id, by which they are known, or all have none: give one to each, or to none"}}
}

// ownIDs is how many of the events came with an id.
func (s *sentEvents) ownIDs() (n int) {
	for _, e := range s.events {
		if e.ID != "" {
			n++
		}
	}
	return n
}

// err is nil, or all that is wrong.
func (s *sentEvents) err() error {
	if s.faults.empty() {
		return nil
	}
	refusal := s.faults.refusal()
	if s.reserved {
		refusal.Code = sdk.CodeReservedType
		refusal.Message = "task.*, session.*, plan.*, agent.* and the names of a stream's frames are the server's own types; errors names every fault"
	}
	return refusal
}

// readEvents reads one event, a list of them, or a CloudEvent. It answers an error only when there is nothing to read events from.
func readEvents(body requestBody, cloudEvent bool) (sentEvents, *sdk.Error) {
	if cloudEvent {
		return readCloudEvent(body)
	}
	if bytes.HasPrefix(bytes.TrimSpace(body.raw), []byte("[")) {
		d, fault := decode[[]sdk.EventRequest](body)
		if fault != nil {
			return sentEvents{}, fault
		}
		s := sentEvents{faults: sayWhoseField(d.faults)}
		if n := len(d.value); n < 1 || n > sdk.MaxEventBatch {
			s.faults.add(sdk.Fault{Path: "$", Message: fmt.Sprintf("must be 1 to %d events", sdk.MaxEventBatch)})
			return s, nil
		}
		for i, e := range d.value {
			s.add(fmt.Sprintf("$[%d]", i), e)
		}
		return s, nil
	}
	d, fault := decode[sdk.EventRequest](body)
	if fault != nil {
		return sentEvents{}, fault
	}
	s := sentEvents{faults: sayWhoseField(d.faults)}
	s.add("$", d.value)
	return s, nil
}

// serverAttributes are the attributes of an event that the server sets.
func serverAttributes() []string {
	return []string{
		"source", "organization", "project", "agent", "task", "session", "plan", "sequence", "seq", "originsource", "dropped", "specversion", "time",
	}
}

const setByServer = "is set by the server: leave it out"

// sayWhoseField tells of a field that is not known where it is the server's to set.
func sayWhoseField(l faultList) faultList {
	for i, f := range l.named {
		_, name, _ := strings.Cut(f.Path, ".")
		if strings.HasPrefix(f.Message, "is not a known field") && slices.Contains(serverAttributes(), name) {
			l.named[i].Message = setByServer
		}
	}
	return l
}

// add checks an event as it was sent, at a path of the body.
func (s *sentEvents) add(path string, r sdk.EventRequest) {
	e := sdk.Event{ID: r.ID, Type: r.Type, Subject: r.Subject, CorrelationID: r.CorrelationID}
	if len(r.Data) > 0 && !isNull(r.Data) {
		e.Data, e.DataContentType = r.Data, "application/json"
	}
	s.check(path, ".correlationId", e)
}

// check enters an event, and what is wrong with it.
func (s *sentEvents) check(path, correlation string, e sdk.Event) {
	refuse := func(field, format string, args ...any) {
		s.faults.add(sdk.Fault{Path: path + field, Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case e.Type == "":
		refuse(".type", "is required: a dotted lower-case name such as build.finished")
	case !e.Type.Valid():
		refuse(".type", "must be a dotted lower-case name such as build.finished, of at most %d bytes", sdk.MaxType)
	case e.Type.NamesFrame():
		s.reserved = true
		refuse(".type", "names a frame of a stream: output, resume, gone, open, message and error are not published; add a dot and a word")
	case e.Type.Reserved():
		s.reserved = true
		refuse(".type", "is the server's own: task.*, session.*, plan.* and agent.* are not published")
	}
	for _, text := range []struct {
		field, value string
		most         int
	}{
		{".subject", e.Subject, sdk.MaxEventSubject},
		{".id", e.ID, sdk.MaxEventID},
		{correlation, e.CorrelationID, maxCorrelationID},
		{".causationid", e.CausationID, maxCorrelationID},
		{".source", e.OriginSource, maxOriginSource},
		{".datacontenttype", e.DataContentType, maxDataContentType},
	} {
		if len(text.value) > text.most {
			refuse(text.field, "is larger than %d bytes", text.most)
		} else if strings.ContainsFunc(text.value, unicode.IsControl) {
			refuse(text.field, "must not hold control characters")
		}
	}
	if len(e.Data) > sdk.MaxEventData {
		refuse(".data", "is larger than %d bytes", sdk.MaxEventData)
	}
	s.events, s.paths = append(s.events, e), append(s.paths, path)
}

// secretFaults refuses secrets where they can not be marked: of ids that are redacted two would become one, and a media type would be none.
func (s *sentEvents) secretFaults(clean *redact.Redactor) (faults []sdk.Fault) {
	for i, e := range s.events {
		if len(e.ID) <= sdk.MaxEventID && clean.String(e.ID) != e.ID {
			faults = append(faults, sdk.Fault{Path: s.paths[i] + ".id", Message: secretInID})
		}
		if len(e.DataContentType) <= maxDataContentType && clean.String(e.DataContentType) != e.DataContentType {
			faults = append(faults, sdk.Fault{Path: s.paths[i] + ".datacontenttype", Message: "holds what looks like a secret, which must not be stored: leave that parameter out"})
		}
	}
	return faults
}

// complete adds what the server says of the events, and an id where there is none.
func (p *publication) complete(from sdk.Event) error {
	for i := range p.events {
		e := &p.events[i]
		e.SpecVersion, e.Source, e.Organization, e.Project = from.SpecVersion, from.Source, from.Organization, from.Project
		e.Agent, e.Task = from.Agent, from.Task
		if e.Time.IsZero() {
			e.Time = from.Time
		}
		if e.ID == "" {
			id, err := uuid.NewV7()
			if err != nil {
				return err
			}
			e.ID = id.String()
		}
	}
	return nil
}
