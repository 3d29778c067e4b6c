package sdk

import (
	"slices"
	"strings"
)

// EventPattern chooses event types: a type itself (task.completed), every type below a name (code.*), or every type (*).
type EventPattern string

// Valid reports whether p is one of the three forms.
func (p EventPattern) Valid() bool {
	if p == "*" {
		return true
	}
	name, _ := strings.CutSuffix(string(p), ".*")
	return EventType(name).Valid()
}

// Matches reports whether p chooses t.
func (p EventPattern) Matches(t EventType) bool {
	if p == "*" {
		return true
	}
	if below, ok := strings.CutSuffix(string(p), "*"); ok {
		return strings.HasPrefix(string(t), below)
	}
	return string(p) == string(t)
}

// EventPatterns choose what any of them chooses; none choose everything.
type EventPatterns []EventPattern

// ParseEventPatterns reads a comma-separated list; "" is none.
func ParseEventPatterns(s string) (EventPatterns, error) {
	if s == "" {
		return nil, nil
	}
	var list EventPatterns
	for part := range strings.SplitSeq(s, ",") {
		p := EventPattern(strings.TrimSpace(part))
		if !p.Valid() {
			return nil, Errorf(CodeInvalidInput, "%q is not a type such as task.completed, code.* or *", part)
		}
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	if len(list) > MaxEventPatterns {
		return nil, Errorf(CodeInvalidInput, "more than %d type patterns", MaxEventPatterns)
	}
	return list, nil
}

// Match reports whether the patterns choose t.
func (l EventPatterns) Match(t EventType) bool {
	return len(l) == 0 || slices.ContainsFunc(l, func(p EventPattern) bool { return p.Matches(t) })
}

// String is the patterns as [ParseEventPatterns] reads them.
func (l EventPatterns) String() string {
	parts := make([]string, len(l))
	for i, p := range l {
		parts[i] = string(p)
	}
	return strings.Join(parts, ",")
}
