package eventlog

import (
	"net/url"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Filter chooses events of a project. Its zero value chooses all.
type Filter struct {
	Types sdk.EventPatterns
	// Subject chooses by the events' own subject, such as task/<id>; "" chooses any.
	Subject string
	// Session chooses the events of one session and of its tasks; "" chooses any.
	Session string
	// Plan chooses the events of one plan and of its tasks; "" chooses any.
	Plan string
	// Story chooses the events of one story's workflow; nil chooses any.
	Story *Story
}

// check refuses what could not become a part of a subject. Filters are well-formed when they get here.
func (f Filter) check() error {
	if f.Story != nil && !f.Story.valid() {
		return sdk.Errorf(sdk.CodeInternal, "a story of kind %q with the id %q", f.Story.Kind, f.Story.ID)
	}
	for _, p := range f.Types {
		if !p.Valid() {
			return sdk.Errorf(sdk.CodeInternal, "%q is no pattern of event types", p)
		}
	}
	return nil
}

// match reports whether the filter chooses a record. Nobody but the project's own streams brings it records.
func (f Filter) match(r *Record) bool {
	return (f.Session == "" || f.Session == r.session) && (f.Plan == "" || f.Plan == r.plan) && f.Types.Match(r.Type) &&
		(f.Subject == "" || url.PathEscape(f.Subject) == r.about) && (f.Story == nil || f.Story.owns(r.subject))
}

// owns reports whether a message's subject is the story's.
func (s Story) owns(subject string) bool {
	rest, ok := strings.CutSuffix(subject, "."+s.ID)
	return ok && strings.HasSuffix(rest, "."+string(s.Kind)) && strings.Count(rest, ".") == 2
}

// subject is that below which everything is that the filter can choose.
func (f Filter) subject(project string) string {
	switch {
	case f.Story != nil:
		return storySubject(keptPrefix, project, *f.Story)
	case !f.onlyPublished():
		return everything(project)
	case len(f.Types) > 1:
		return publishedSubject(project, ">")
	}
	family, isFamily := strings.CutSuffix(string(f.Types[0]), "*")
	if isFamily {
		family += ">"
	}
	return publishedSubject(project, sdk.EventType(family))
}

// onlyPublished reports whether no workflow writes any type that the filter chooses.
func (f Filter) onlyPublished() bool {
	for _, p := range f.Types {
		family, _, _ := strings.Cut(string(p), ".")
		switch family {
		case "*", "task", "session", "plan", "agent", "code", "ai":
			return false
		}
	}
	return len(f.Types) > 0
}
