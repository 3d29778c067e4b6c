package transcript

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Result is what a stream comes to.
type Result struct {
	TaskType string `json:"taskType"`
	// Output is the last answer, at most 1 MiB of it.
	Output            string       `json:"output"`
	DurationMs        int64        `json:"duration"`
	QualityGatePassed *bool        `json:"qualityGatePassed,omitempty"`
	QualityGate       *QualityGate `json:"qualityGate,omitempty"`
	Reflection        *Reflection  `json:"reflection,omitempty"`
	EpisodeRefs       []string     `json:"episodeRefs,omitempty"`
}

// Describe is what the result says beside its output, in the form that an [sdk.Result] has for it; nil where there is nothing. Gate and reflection
// take at most 64 KiB as JSON.
//
// [sdk.Result]: https://pkg.go.dev/github.com/rolecall-dev/rolecall/sdk#Result
func (r Result) Describe() (gatePassed *bool, gate, reflection json.RawMessage, episodeRefs []string) {
	if r.QualityGate != nil {
		gate, _ = json.Marshal(r.QualityGate) // strings and a flag: it never fails
	}
	if r.Reflection != nil {
		reflection, _ = json.Marshal(r.Reflection) // strings: it never fails
	}
	return r.QualityGatePassed, gate, reflection, r.EpisodeRefs
}

// BuildResult is the result of all events of a task, in their order: that of a [Collector].
func BuildResult(taskType string, events []Event, took time.Duration, opts ...Option) Result {
	c := NewCollector(taskType, opts...)
	for _, e := range events {
		c.Add(e)
	}
	return c.Result(took)
}

// Collector makes a result of a stream while it goes on. It holds the newest answer, at most 1 MiB of it, the newest verdict of a gate, 50 lessons and 50 follow-ups of
// 500 bytes (of more it keeps the newest), and the first 100 episodes. It is not safe for concurrent use.
//
// The answer is the newest message; pieces without the whole that follow each other are joined. With [Careful] the pieces between two other events are a
// message like any other, and the last word of Claude Code's own result goes before.
type Collector struct {
	options  options
	taskType string
	called   calls
	answer   string
	pieces   []byte // of a message whose whole has not come
	gate     *QualityGate
	learnt   Reflection
	size     int // of what was learnt, as JSON
	refs     []string
}

// maxLearnt bounds what was learnt, as JSON, so that it fits into 64 KiB with its names.
const maxLearnt = 60 << 10

// NewCollector begins a result.
func NewCollector(taskType string, opts ...Option) *Collector {
	return &Collector{options: with(opts), taskType: taskType}
}

// Add takes the next event.
func (c *Collector) Add(e Event) {
	kind := c.options.category(e)
	if c.options.careful {
		e.Tool = c.called.tool(e, kind)
	}
	switch {
	case kind == CategoryMessage && e.Delta != "":
		if room := maxAnswer - len(c.pieces); room > 0 {
			c.pieces = append(c.pieces, cut(e.Delta, room)...)
		}
		return
	case kind == CategoryMessage && (spoken(e, kind) || (!c.options.careful && e.Text != "")):
		c.pieces = c.pieces[:0]
		c.answer = cut(e.Text, maxAnswer)
	case kind == CategoryMessage: // it begins or ends one
		return
	default:
		c.join()
	}
	if c.options.careful && e.Type == typeResult && !e.Failed && e.Text != "" {
		c.answer = cut(e.Text, maxAnswer)
	}
	c.learn(e, kind)
}

// join makes the pieces of a message the answer, because something else follows them.
func (c *Collector) join() {
	if len(c.pieces) == 0 {
		return
	}
	c.answer = strings.ToValidUTF8(string(c.pieces), "\uFFFD")
	c.pieces = c.pieces[:0]
	if c.options.careful {
		c.learn(Event{Type: "message", Text: c.answer}, CategoryMessage)
	}
}

// learn keeps what an event says.
func (c *Collector) learn(e Event, kind Category) {
	if g, ok := c.options.gate(e, kind); ok && (c.gate == nil || c.gate.Evidence != EvidenceStructured || g.Evidence == EvidenceStructured) {
		g.Details = strings.Clone(cut(g.Details, maxData/8)) // JSON may make six times that of it
		c.gate = &g
	}
	if r, ok := c.options.reflection(e, kind); ok {
		for _, l := range r.Lessons {
			c.keep(&c.learnt.Lessons, l)
		}
		for _, l := range r.FollowUps {
			c.keep(&c.learnt.FollowUps, l)
		}
	}
	for _, ref := range c.options.episodes(e, kind) {
		c.refs = appendRef(c.refs, ref)
	}
}

// keep adds a lesson or a follow-up, and lets go of the oldest of its kind where there are too many.
func (c *Collector) keep(list *[]string, item string) {
	item = kept(item)
	if item == "" || slices.Contains(*list, item) {
		return
	}
	*list = append(*list, item)
	c.size += encoded(item)
	for len(*list) > 1 && (len(*list) > maxItems || c.size > maxLearnt) {
		c.size -= encoded((*list)[0])
		*list = slices.Delete(*list, 0, 1)
	}
}

// encoded is how many bytes a string takes in a list as JSON.
func encoded(s string) int {
	raw, _ := json.Marshal(s) // a string
	return len(raw) + 1
}

// Result is what the events so far come to.
func (c *Collector) Result(took time.Duration) Result {
	c.join()
	r := Result{TaskType: c.taskType, Output: c.answer, DurationMs: took.Milliseconds(), EpisodeRefs: slices.Clone(c.refs)}
	if c.gate != nil {
		gate := *c.gate
		r.QualityGate, r.QualityGatePassed = &gate, &gate.Passed
	}
	if len(c.learnt.Lessons)+len(c.learnt.FollowUps) > 0 {
		r.Reflection = &Reflection{Lessons: slices.Clone(c.learnt.Lessons), FollowUps: slices.Clone(c.learnt.FollowUps)}
	}
	return r
}
