package eventlog

import (
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Filter chooses events of a project. Its zero value chooses all.
type Filter struct {
	Types sdk.EventPatterns
	// Subject chooses by the events' own subject, such as task/<id>; "" chooses any.
	Subject string
	// Story chooses the events of one story's workflow; nil chooses any.
	Story *Story
}

// match reports whether the filter chooses a record. Nobody but the project's own streams brings it records.
func (f Filter) match(r *Record) bool {
	return f.Types.Match(r.Type) && (f.Subject == "" || f.Subject == r.about) && (f.Story == nil || f.Story.owns(r.subject))
}

// owns reports whether a message's subject is the story's.
func (s Story) owns(subject string) bool {
	rest, ok := strings.CutSuffix(subject, "."+s.ID)
	return ok && strings.HasSuffix(rest, "."+string(s.Kind)) && strings.Count(rest, ".") == 2
}

// subjects are those below which everything is that the filter can choose. None contains another, as JetStream demands.
func (f Filter) subjects(project string) []string {
	if f.Story != nil {
		return []string{storySubject(keptPrefix, project, *f.Story)}
	}
	if f.onlyPublished() {
		return []string{keptPrefix + project + "." + string(published) + ".>"}
	}
	return []string{everything(project)}
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
