package transcript

import (
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// structured is what an agent or a tool may say as JSON.
type structured struct {
	Passed            json.RawMessage `json:"passed"`
	Details           json.RawMessage `json:"details"`
	Overall           json.RawMessage `json:"overall"`
	Threshold         json.RawMessage `json:"threshold"`
	Dimensions        json.RawMessage `json:"dimensions"`
	Verdict           string          `json:"verdict"`
	QualityGatePassed json.RawMessage `json:"qualityGatePassed"`
	QualityGate       json.RawMessage `json:"qualityGate"`
	QualityGates      json.RawMessage `json:"qualityGates"`

	Lessons        []string        `json:"lessons"`
	FollowUps      []string        `json:"followUps"`
	FollowUpsSnake []string        `json:"follow_ups"`
	Reflection     json.RawMessage `json:"reflection"`

	EpisodeRefs []string `json:"episodeRefs"`

	Data       json.RawMessage `json:"data"`
	Structured json.RawMessage `json:"structured_content"`
}

// structures are the JSON objects of an event: its data, and those that its text is, or holds in lines or fenced blocks of their own. What
// stands in data or details of one follows it.
func structures(e Event) iter.Seq[structured] {
	return func(yield func(structured) bool) {
		for raw := range objects(e) {
			s, ok := parse(raw)
			if !ok {
				continue
			}
			if !yield(s) {
				return
			}
			for _, inner := range []json.RawMessage{s.Details, s.Data, s.Structured} {
				if s, ok := parse(inner); ok && !yield(s) {
					return
				}
			}
		}
	}
}

func objects(e Event) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		if len(e.Data) > 0 && !yield(e.Data) {
			return
		}
		text := strings.TrimSpace(e.Text)
		if isObject(text) && json.Valid([]byte(text)) {
			yield(json.RawMessage(text))
			return
		}
		for raw := range written(text) {
			if !yield(json.RawMessage(raw)) {
				return
			}
		}
	}
}

// written are the parts of a text that look like an object: a line, or a fenced block.
func written(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !strings.Contains(text, "{") {
			return
		}
		fence, at := -1, 0
		for line := range strings.Lines(text) {
			from := at
			at += len(line)
			switch line = strings.TrimSpace(line); {
			case strings.HasPrefix(line, "```") && fence < 0:
				fence = at
			case strings.HasPrefix(line, "```"):
				block := strings.TrimSpace(text[fence:from])
				fence = -1
				if isObject(block) && !yield(block) {
					return
				}
			case fence < 0 && isObject(line):
				if !yield(line) {
					return
				}
			}
		}
	}
}

func isObject(s string) bool {
	return len(s) >= 2 && len(s) <= maxData && s[0] == '{' && s[len(s)-1] == '}'
}

// parse reads an object; what has another shape in it is left out.
func parse(raw json.RawMessage) (s structured, ok bool) {
	if len(raw) == 0 || len(raw) > maxData || raw[0] != '{' {
		return s, false
	}
	_, bad := errors.AsType[*json.SyntaxError](json.Unmarshal(raw, &s))
	return s, !bad
}

// boolean is true or false, and ok; anything else is neither.
func boolean(raw json.RawMessage) (value, ok bool) {
	return string(raw) == "true", string(raw) == "true" || string(raw) == "false"
}

// number is a number, and ok.
func number(raw json.RawMessage) (n float64, ok bool) {
	n, err := strconv.ParseFloat(string(raw), 64)
	return n, err == nil
}

// gate is what the object says of a gate. named says that it is known to be about one.
func (s structured) gate(named bool) (QualityGate, bool) {
	if is, ok := boolean(s.QualityGatePassed); ok {
		g, _ := s.inner()
		return QualityGate{Passed: is, Details: g.Details}, true
	}
	if g, ok := s.inner(); ok {
		return g, true
	}
	return s.own(named)
}

// inner is the gate that stands in it under its own name.
func (s structured) inner() (QualityGate, bool) {
	for _, raw := range []json.RawMessage{s.QualityGate, s.QualityGates} {
		if is, ok := boolean(raw); ok {
			return QualityGate{Passed: is}, true
		}
		if inner, ok := parse(raw); ok {
			if g, ok := inner.own(true); ok {
				return g, true
			}
		}
	}
	return QualityGate{}, false
}

func (s structured) own(named bool) (g QualityGate, ok bool) {
	g.Details = s.details()
	if is, ok := boolean(s.Passed); ok {
		g.Passed = is
		return g, named || len(s.Details) > 0 || len(s.Dimensions) > 0
	}
	overall, isRated := number(s.Overall)
	if threshold, ok := number(s.Threshold); ok && isRated {
		g.Passed = overall >= threshold
		return g, named || len(s.Dimensions) > 0
	}
	switch strings.ToLower(strings.Join(strings.FieldsFunc(s.Verdict, func(r rune) bool { return strings.ContainsRune(" _-", r) }), " ")) {
	case "approve", "approved", "pass", "passed":
		g.Passed = true
		return g, true
	case "request changes", "changes requested", "block", "blocked", "reject", "rejected", "fail", "failed":
		return g, true
	default:
		return QualityGate{}, false
	}
}

// details are the words of the object, or the JSON in their place.
func (s structured) details() string {
	var text string
	if json.Unmarshal(s.Details, &text) != nil {
		text = string(s.Details)
	}
	return kept(text)
}

// reflection is what the object says was learnt.
func (s structured) reflection() (Reflection, bool) {
	if inner, ok := parse(s.Reflection); ok {
		s = inner
	}
	r := Reflection{}
	for _, l := range s.Lessons {
		r.Lessons = appendItem(r.Lessons, l)
	}
	for _, l := range slices.Concat(s.FollowUps, s.FollowUpsSnake) {
		r.FollowUps = appendItem(r.FollowUps, l)
	}
	return r, len(r.Lessons)+len(r.FollowUps) > 0
}
