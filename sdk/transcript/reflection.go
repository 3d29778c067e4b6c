package transcript

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Reflection is what was learnt, and what is left to do.
type Reflection struct {
	Lessons   []string `json:"lessons"`
	FollowUps []string `json:"followUps"`
}

// MarshalJSON implements json.Marshaler: what there is none of is an empty list.
func (r Reflection) MarshalJSON() ([]byte, error) {
	type plain Reflection
	p := plain(r)
	for _, list := range []*[]string{&p.Lessons, &p.FollowUps} {
		if *list == nil {
			*list = []string{}
		}
	}
	return json.Marshal(p)
}

// ExtractReflection reads bullet points; ok is false where there are none.
//
// By the keyword rules they are those of a tool's result: the lines that begin with -, * or • and a space. One that contains follow-up, next or
// todo, in capitals or not, is a follow-up, any other a lesson.
//
// With [Careful] they are those of what the agent says, or of a tool with reflect in its name; JSON {"lessons": […], "followUps": […]} goes
// before them. Under a heading, or a line that ends with a colon, they are what it says: lessons, follow-ups, or neither, such as "Changes:".
// Elsewhere a point is a follow-up by whole words (follow-up, todo, "Next: …", "next steps") or an open box, and the label before its colon is
// left out. Code, and boxes that are ticked, are no points. Of each kind there are at most 50, of 500 bytes. Of what a program has printed
// ([RoleProgram]) only those points count that a heading or a label of their own says to be lessons or follow-ups: its lists are of anything.
func ExtractReflection(e Event, opts ...Option) (r Reflection, ok bool) {
	o := with(opts)
	return o.reflection(e, o.category(e))
}

func (o options) reflection(e Event, c Category) (r Reflection, ok bool) {
	if o.careful {
		return carefulReflection(e, c)
	}
	if c != CategoryToolResult {
		return Reflection{}, false
	}
	for line := range strings.Lines(e.Text) {
		point, is := bullet(line)
		if !is {
			continue
		}
		if lower := strings.ToLower(point); slices.ContainsFunc([]string{"follow-up", "next", "todo"}, func(w string) bool { return strings.Contains(lower, w) }) {
			r.FollowUps = append(r.FollowUps, point)
		} else {
			r.Lessons = append(r.Lessons, point)
		}
	}
	return r, len(r.Lessons)+len(r.FollowUps) > 0
}

// bullet is the text of a bullet point.
func bullet(line string) (point string, ok bool) {
	line = strings.TrimSpace(line)
	for _, mark := range []string{"- ", "* ", "• "} {
		if rest, ok := strings.CutPrefix(line, mark); ok {
			rest = strings.TrimSpace(rest)
			return rest, rest != ""
		}
	}
	return "", false
}

func carefulReflection(e Event, c Category) (Reflection, bool) {
	if !spoken(e, c) && c != CategoryToolResult {
		return Reflection{}, false
	}
	for s := range structures(e) {
		if r, ok := s.reflection(); ok {
			return r, true
		}
	}
	if c == CategoryToolResult && !slices.ContainsFunc(wordsOfName(e.Tool), func(w string) bool { return strings.HasPrefix(w, "reflect") }) {
		return Reflection{}, false
	}
	var p points
	if e.Role == RoleProgram {
		p.about, p.alone = aboutOthers, aboutOthers
	}
	for line := range strings.Lines(e.Text) {
		p.take(line)
	}
	return p.found, len(p.found.Lessons)+len(p.found.FollowUps) > 0
}

// about is what the bullet points of a part of a text are.
type about int

const (
	aboutAnything about = iota // each says itself
	aboutLessons
	aboutFollowUps
	aboutOthers
)

// points are the bullet points of a text, line by line.
type points struct {
	found Reflection
	about about
	alone about // what they are where no heading says it
	code  bool
}

var (
	numbered = regexp.MustCompile(`^\d{1,3}[.)] +`)
	label    = regexp.MustCompile(`(?i)^(follow-? ?ups?|to-?do|next( steps?)?|lessons?( learn(ed|t))?)\s*:\s*`)
	// followUp is what makes a point a follow-up where no heading says what it is.
	followUp = regexp.MustCompile(`(?i)^(next|to-?do)\b|\b(follow-? ?ups?|followups?|to-?do|next steps?)\b`)
)

func (p *points) take(line string) {
	trimmed := strings.TrimSpace(line)
	if strings.HasPrefix(trimmed, "```") {
		p.code = !p.code
		return
	}
	if p.code || trimmed == "" {
		return
	}
	point, ok := bullet(trimmed)
	if number := numbered.FindString(trimmed); !ok && number != "" {
		point, ok = trimmed[len(number):], true
	}
	switch {
	case ok:
		p.add(strings.ReplaceAll(cut(point, 2*maxItem), "**", ""))
	case strings.HasPrefix(trimmed, "#") || strings.HasSuffix(strings.TrimRight(trimmed, "*_"), ":") || isBold(trimmed):
		p.about = title(trimmed)
	case line[0] != ' ' && line[0] != '\t': // a paragraph ends a list; what is indented belongs to the point above
		p.about = p.alone
	}
}

func isBold(line string) bool {
	return len(line) > 4 && strings.HasPrefix(line, "**") && strings.HasSuffix(line, "**")
}

// title says what the points below a heading are.
func title(heading string) about {
	words := map[string]bool{}
	for _, w := range tokensOf(cut(heading, maxItem)) {
		words[w] = true
	}
	switch {
	case words["follow-up"], words["follow-ups"], words["followups"], words["followup"], words["follow"] && (words["up"] || words["ups"]),
		words["next"], words["todo"], words["todos"], words["to-do"], words["remaining"]:
		return aboutFollowUps
	case words["lesson"], words["lessons"], words["learned"], words["learnt"], words["learnings"], words["takeaways"]:
		return aboutLessons
	case words["reflection"], words["reflections"], words["retrospective"]:
		return aboutAnything
	default:
		return aboutOthers
	}
}

func (p *points) add(point string) {
	open := strings.HasPrefix(point, "[ ] ") && p.alone == aboutAnything
	if strings.HasPrefix(point, "[x] ") || strings.HasPrefix(point, "[X] ") {
		return
	}
	point = strings.TrimPrefix(point, "[ ] ")
	left := label.FindString(point)
	told := point // what it is told by: its label where it has one
	if left != "" {
		told = left
	}
	later := open || p.about == aboutFollowUps || ((left != "" || p.about == aboutAnything) && followUp.MatchString(told))
	switch point = point[len(left):]; {
	case p.about == aboutOthers && left == "" && !open:
	case later:
		p.found.FollowUps = appendItem(p.found.FollowUps, point)
	default:
		p.found.Lessons = appendItem(p.found.Lessons, point)
	}
}

// appendItem adds a short text of its own, unless it is empty, there already, or there are enough.
func appendItem(list []string, item string) []string {
	if item = kept(item); item == "" || len(list) >= maxItems || slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}
