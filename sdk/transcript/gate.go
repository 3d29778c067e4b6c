package transcript

import (
	"strings"
)

// Evidence is what a gate's verdict was read from.
type Evidence string

// The kinds of evidence. A later verdict goes before an earlier one, but nothing goes before a structured one but another such.
const (
	EvidenceStructured Evidence = "structured" // JSON that says so
	EvidenceStatement  Evidence = "statement"  // a sentence about a gate
	EvidenceCounts     Evidence = "counts"     // what a test run counted
)

// QualityGate is what an event says of a quality gate.
type QualityGate struct {
	Passed bool `json:"passed"`
	// Details are the words: by the keyword rules the whole text, with [Careful] the sentence that decided, or what the JSON says.
	Details string `json:"details"`
	// Evidence is only set with [Careful].
	Evidence Evidence `json:"evidence,omitempty"`
}

// ExtractQualityGates says whether a quality gate has passed; ok is false where an event does not tell.
//
// By the keyword rules a tool's result tells when its text contains quality, gate, passed or failed, in capitals or not, and the gate has passed
// unless it contains fail or block.
//
// With [Careful] three things tell, and the first that is there decides:
//
//  1. JSON in what a tool answers or the agent says: {"qualityGatePassed": …}, {"qualityGate": {"passed": …}}, {"passed": …, "details": …},
//     {"overall": …, "threshold": …, "dimensions": …}, {"verdict": "approve"}.
//  2. A sentence about a gate, with a verdict as a whole word: "Quality gate: passed". What is said with if, should or first does not count,
//     "0 failed" and "no failures" are no failures, and one gate that failed goes before others that passed. In a message, tests and checks are gates, too.
//  3. What a tool's output counts: "12 passed, 0 failed", "Tests run: 12, Failures: 1", PASS and FAIL of go test.
func ExtractQualityGates(e Event, opts ...Option) (gate QualityGate, ok bool) {
	o := with(opts)
	return o.gate(e, o.category(e))
}

func (o options) gate(e Event, c Category) (gate QualityGate, ok bool) {
	if o.careful {
		return carefulGate(e, c)
	}
	if c != CategoryToolResult {
		return QualityGate{}, false
	}
	text := strings.ToLower(e.Text)
	for _, word := range []string{"quality", "gate", "passed", "failed"} {
		ok = ok || strings.Contains(text, word)
	}
	if !ok {
		return QualityGate{}, false
	}
	return QualityGate{Passed: !strings.Contains(text, "fail") && !strings.Contains(text, "block"), Details: e.Text}, true
}

func carefulGate(e Event, c Category) (QualityGate, bool) {
	said := spoken(e, c)
	if c != CategoryToolResult && !said {
		return QualityGate{}, false
	}
	gate, ok := QualityGate{}, false
	for s := range structures(e) {
		if g, found := s.gate(namesGate(e.Tool)); found {
			gate, ok = g, true // the last one
		}
	}
	if ok {
		gate.Evidence = EvidenceStructured
		return gate, true
	}
	var stated, counted verdict
	for clause := range clauses(e.Text) {
		j := judge(clause)
		stated.take(j.stated(said), clause)
		if !said {
			counted.take(j.counted(clause), clause)
		}
	}
	if stated.is != undecided {
		return stated.gate(EvidenceStatement), true
	}
	return counted.gate(EvidenceCounts), counted.is != undecided
}

// namesGate reports whether a tool is one that checks, by its name.
func namesGate(tool string) bool {
	for _, w := range wordsOfName(tool) {
		switch w {
		case "quality", "gate", "gates", "validate", "validator", "qualitygate":
			return true
		}
	}
	return false
}

// verdict is that of several clauses: one that failed goes before those that passed, and of these the last counts.
type verdict struct {
	is     decision
	clause string
}

func (v *verdict) take(d decision, clause string) {
	if d == undecided || v.is == failed {
		return
	}
	v.is, v.clause = d, clause
}

func (v *verdict) gate(by Evidence) QualityGate {
	if v.is == undecided {
		return QualityGate{}
	}
	return QualityGate{Passed: v.is == passed, Details: kept(v.clause), Evidence: by}
}

// kept is a short text of its own, so that what it is a part of need not be held.
func kept(s string) string {
	return strings.Clone(strings.TrimSpace(strings.ToValidUTF8(cut(s, maxItem), "\uFFFD")))
}
