package transcript

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// decision is what a clause comes to.
type decision int

const (
	undecided decision = iota
	passed
	failed
)

// maxClause bounds a clause in bytes: what is longer is nobody's verdict.
const maxClause = 2 << 10

// denialReach is how many words before a verdict may deny it: "none of the gates failed".
const denialReach = 4

// clauses are the lines of a text, and the sentences in them; without those that are too long.
func clauses(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			for from := 0; from < len(line); {
				end := from + sentence(line[from:])
				if clause := line[from:end]; len(clause) <= maxClause && !yield(clause) {
					return
				}
				from = end
			}
		}
	}
}

// sentence is the length of the first sentence in s: it ends with a mark before a space.
func sentence(s string) int {
	for i := 1; i < len(s); i++ {
		if s[i] == ' ' && strings.IndexByte(".;!?", s[i-1]) >= 0 {
			return i
		}
	}
	return len(s)
}

// judgement is what is known of a clause.
type judgement struct {
	gate, tests    bool // what it is about
	open           bool // it is a condition, a wish, or the past
	pass, fail     bool // in words
	passes, fails  bool // counted
	zero           bool // no failure
	errors         bool // counted
	words, quality int
}

// stated is the decision of a sentence about a gate; about tests and checks, too, where an agent says it.
func (j judgement) stated(said bool) decision {
	about := j.gate || (j.quality > 0 && j.words <= 6) || (said && j.tests)
	switch {
	case !about || j.open:
		return undecided
	case j.fail || j.fails:
		return failed
	case j.pass || j.passes || j.zero:
		return passed
	default:
		return undecided
	}
}

// counted is the decision of a line that a test run prints.
func (j judgement) counted(line string) decision {
	line = strings.TrimRight(line, "\r\n")
	switch {
	case j.fails, j.errors && (j.passes || j.zero), line == "FAIL", strings.HasPrefix(line, "--- FAIL: "), strings.HasPrefix(line, "FAIL\t"):
		return failed
	case j.passes, j.zero, line == "PASS", strings.HasPrefix(line, "--- PASS: "), strings.HasPrefix(line, "ok  \t"):
		return passed
	default:
		return undecided
	}
}

// judge reads a clause word by word.
func judge(clause string) judgement {
	t := tally{tokens: tokensOf(clause)}
	t.used = make([]bool, len(t.tokens))
	for i, w := range t.tokens {
		if w != "," && w != ":" {
			t.words++
		}
		t.take(i, w)
	}
	t.open = t.open || strings.HasSuffix(strings.TrimSpace(clause), "?")
	return t.judgement
}

// tally is a judgement that is being made.
type tally struct {
	judgement
	tokens []string
	used   []bool // numbers that belong to a word
}

func (t *tally) take(i int, w string) {
	switch w {
	case "gate", "gates", "verdict":
		t.gate = true
	case "quality":
		t.quality++
	case "test", "tests", "check", "checks", "suite", "lint", "build":
		t.tests = true
	case "if", "when", "whenever", "unless", "until", "once", "should", "would", "could", "must", "will", "may", "might", "ensure", "let",
		"expect", "expected", "first", "initially", "previously", "earlier", "before", "need", "needs", "want", "sure":
		t.open = true
	case "pass", "passes", "passed", "passing", "approve", "approved":
		t.count(t.amount(i), &t.pass, &t.passes, nil, &t.fail)
	case "fail", "fails", "failed", "failing", "failure", "failures":
		t.count(t.amount(i), &t.fail, &t.fails, &t.zero, &t.zero)
	case "block", "blocks", "blocked", "blocking", "rejected":
		t.count(t.amount(i), &t.fail, &t.fails, &t.zero, &t.zero)
	case "changes":
		t.fail = t.fail || t.near(i, "request", "requests", "requested")
	case "error", "errors":
		if a := t.amount(i); a.number && a.n > 0 {
			t.errors = true
		}
	default:
		t.gate = t.gate || slices.ContainsFunc([]string{"-gate", "-gates", "_gate", "_gates"}, func(end string) bool { return strings.HasSuffix(w, end) })
	}
}

// count notes a verdict: as words, as a number above zero, as the number zero, or as denied.
func (t *tally) count(a amount, word, many, none, denied *bool) {
	at := word
	switch {
	case a.denied:
		at = denied
	case a.number && a.n == 0:
		at = none
	case a.number:
		at = many
	}
	if at != nil {
		*at = true
	}
	t.fails = t.fails || a.partly
}

// amount is what stands beside a verdict's word: a number, "no", or nothing. partly is a number that is smaller than that of all.
type amount struct {
	n      int
	number bool
	denied bool
	partly bool
}

func (t *tally) amount(i int) amount {
	if a, ok := t.before(i); ok {
		return a
	}
	if a, ok := t.after(i); ok {
		return a
	}
	for j := i - 1; j >= max(0, i-denialReach) && t.tokens[j] != "," && t.tokens[j] != ":"; j-- {
		if denies(t.tokens[j]) {
			return amount{denied: true}
		}
	}
	return amount{}
}

// before is the number before a verdict: "3 failed", "0 tests failed", "2 of 3 passed", "3/3 passed".
func (t *tally) before(i int) (amount, bool) {
	j := i - 1
	for j > 0 && countable(t.tokens[j]) {
		j--
	}
	if j < 0 || t.used[j] {
		return amount{}, false
	}
	if part, all, ok := strings.Cut(t.tokens[j], "/"); ok {
		n, err := strconv.Atoi(part)
		of, errOf := strconv.Atoi(all)
		return amount{n: n, number: true, partly: n < of && passes(t.tokens[i])}, err == nil && errOf == nil
	}
	n, err := strconv.Atoi(t.tokens[j])
	if err != nil {
		return amount{}, false
	}
	t.used[j] = true
	a := amount{n: n, number: true}
	if j >= 2 && t.tokens[j-1] == "of" {
		if part, err := strconv.Atoi(t.tokens[j-2]); err == nil {
			a.n, a.partly = part, part < n && passes(t.tokens[i])
		}
	}
	return a, true
}

// after is what follows a verdict: "failed: 0", "fail 0", "passed: false".
func (t *tally) after(i int) (amount, bool) {
	j := i + 1
	colon := j < len(t.tokens) && t.tokens[j] == ":"
	if colon {
		j++
	}
	if j >= len(t.tokens) {
		return amount{}, false
	}
	if n, err := strconv.Atoi(t.tokens[j]); err == nil && !t.used[j] {
		t.used[j] = true
		return amount{n: n, number: true}, true
	}
	switch w := t.tokens[j]; {
	case colon && (w == "false" || w == "no" || w == "none"):
		return amount{denied: true}, true
	case colon && (w == "true" || w == "yes"):
		return amount{}, true
	default:
		return amount{}, false
	}
}

// near reports whether one of the words stands beside the i-th.
func (t *tally) near(i int, list ...string) bool {
	return (i > 0 && slices.Contains(list, t.tokens[i-1])) || (i+1 < len(t.tokens) && slices.Contains(list, t.tokens[i+1]))
}

func passes(w string) bool { return strings.HasPrefix(w, "pass") || strings.HasPrefix(w, "approve") }

// countable reports whether a word may stand between a number and its verdict.
func countable(w string) bool {
	switch w {
	case "test", "tests", "check", "checks", "spec", "specs", "case", "cases", "example", "examples", "gate", "gates", "were", "have", "has", "are", "is":
		return true
	default:
		return false
	}
}

func denies(w string) bool {
	switch w {
	case "no", "not", "none", "zero", "without", "never", "nothing", "cannot", "neither":
		return true
	default:
		return strings.HasSuffix(w, "n't")
	}
}

// tokensOf are the words of a clause in small letters, and its commas and colons. What is part of a name, as in test_failed.py or non-blocking,
// is no word of its own.
func tokensOf(clause string) (tokens []string) {
	clause = strings.ToLower(strings.ReplaceAll(clause, "’", "'"))
	from := -1
	flush := func(to int) {
		if from >= 0 {
			tokens = append(tokens, strings.TrimRight(clause[from:to], "-_./'"))
			from = -1
		}
	}
	for i, r := range clause {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if from < 0 {
				from = i
			}
		case from >= 0 && strings.ContainsRune("-_./'", r):
		default:
			flush(i)
			if r == ',' {
				tokens = append(tokens, ",")
			} else if r == ':' || r == '=' {
				tokens = append(tokens, ":")
			}
		}
	}
	flush(len(clause))
	return tokens
}
