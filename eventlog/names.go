package eventlog

import (
	"github.com/rolecall-dev/rolecall/sdk"
)

// Kind says what a story is about.
type Kind string

// The kinds of stories, as subjects spell them.
const (
	KindTask    Kind = "t"
	KindSession Kind = "s"
	KindPlan    Kind = "p"
	KindAgent   Kind = "a"
)

// published is the kind, in subjects only, of what callers publish.
const published Kind = "e"

// Story is what has a subject of its own: the events of one task, session, plan or agent.
type Story struct {
	Kind Kind
	ID   string
}

func (s Story) valid() bool {
	switch s.Kind {
	case KindTask, KindSession, KindPlan, KindAgent:
		return sdk.ValidID(s.ID)
	default:
		return false
	}
}

const (
	streamPrefix = "rolecall-"
	keptPrefix   = "rc."
	livePrefix   = "rl."
)

// The headers of a message, beside JetStream's own.
const (
	headerType  = "Rolecall-Type"    // so that a reader need not open the event
	headerAbout = "Rolecall-Subject" // the event's own subject
	headerSeq   = "Rolecall-Seq"     // its number within its story
	headerOf    = "Rolecall-Session" // the session that it belongs to
	headerPlan  = "Rolecall-Plan"    // the plan that it belongs to
)

func streamName(project string) string { return streamPrefix + project }

// everything is the subject of all of a project's kept events.
func everything(project string) string { return keptPrefix + project + ".>" }

// storySubject is a story's subject below a prefix.
func storySubject(prefix, project string, s Story) string {
	return prefix + project + "." + string(s.Kind) + "." + s.ID
}

// publishedSubject is the subject of what callers publish of a type.
func publishedSubject(project string, t sdk.EventType) string {
	return keptPrefix + project + "." + string(published) + "." + string(t)
}
