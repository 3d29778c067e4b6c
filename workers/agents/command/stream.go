package command

import (
	"bytes"
	"encoding/json"
	"regexp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// listener is told what a program says while it runs.
type listener interface {
	Progress(p sdk.Progress)
	Resume(data json.RawMessage) error
}

// stream reads a program's stdout. It touches nothing but the listener, holds at most one line that can be a message, the text of
// the log up to maxText and its tail, and says the same however the bytes are cut into writes. It never fails.
type stream struct {
	maxLine int
	maxText int
	to      listener

	line     []byte
	skipping bool // the rest of a line that is longer than maxLine
	answer   answer
	reached  float64 // the percentage that the program said last
	text     []byte
	textOver bool
	log      tail
	warned   map[string]bool // what was wrong with lines that look like messages
	refused  int             // resume lines the listener did not take
}

// answer is how the program says it ends. At most one of result, input and unfit is set: the last that it said.
type answer struct {
	result  *sdk.Result
	input   *sdk.InputRequired
	unfit   *sdk.AgentError // a result or question that was refused, and why
	failure *sdk.AgentError
}

// given reports whether the program has said anything about its end.
func (a answer) given() bool {
	return a.result != nil || a.input != nil || a.unfit != nil || a.failure != nil
}

func newStream(maxLine, maxLog int, to listener) *stream {
	return &stream{maxLine: maxLine, maxText: sdk.MaxOutput, to: to, log: tail{max: maxLog}, warned: map[string]bool{}}
}

// Write takes the next bytes of stdout.
func (s *stream) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			s.add(p)
			break
		}
		s.add(p[:end])
		s.endLine(true)
		p = p[end+1:]
	}
	return n, nil
}

// Close takes the end of stdout: a last line without a newline is a line like any other.
func (s *stream) Close() error {
	if len(s.line) > 0 || s.skipping {
		s.endLine(false)
	}
	s.line = nil
	return nil
}

// add appends part of a line, as long as the line is not too long to be a message; then it is log.
func (s *stream) add(p []byte) {
	if !s.skipping {
		room := s.maxLine - len(s.line)
		if len(p) <= room {
			s.line = append(s.line, p...)
			return
		}
		s.line = append(s.line, p[:room]...)
		s.skipping = true
		p = p[room:]
		s.overlong()
	}
	s.addLog(p)
}

var startsLikeResult = regexp.MustCompile(`^\s*\{\s*"result"\s*:`)

// overlong decides about a line as soon as it is too long to be a message: a result is refused, everything else is log.
func (s *stream) overlong() {
	if startsLikeResult.Match(s.line[:min(len(s.line), 256)]) {
		s.answer.refuse(sdk.Final(sdk.CodePayloadTooLarge, sdk.Errorf(sdk.CodePayloadTooLarge,
			"the result line is longer than %d bytes; write large output to a store and answer with a reference", s.maxLine)))
		s.text = nil
	}
	s.addLog(s.line)
	s.line = s.line[:0]
}

// endLine takes the line that has just ended; newline tells whether a newline ended it.
func (s *stream) endLine(newline bool) {
	switch {
	case s.skipping:
		s.skipping = false
	case s.message():
		newline = false
	default:
		s.show(sdk.OutputFrame{Text: string(s.line)})
		s.addLog(s.line)
	}
	if newline {
		s.addLog([]byte{'\n'})
	}
	s.line = s.line[:0]
}

// addLog takes what is no message: for the tail of the log, and for the output of a program that gives no result.
func (s *stream) addLog(p []byte) {
	_, _ = s.log.Write(p) // a tail never fails
	if s.textOver || s.answer.given() {
		return
	}
	if len(s.text)+len(p) > s.maxText {
		s.textOver, s.text = true, nil
		return
	}
	s.text = append(s.text, p...)
}

// message takes the line if it is one.
func (s *stream) message() bool {
	m, wrong := decode(s.line)
	if wrong != "" {
		s.warned[wrong] = true
	}
	if m == nil {
		return false
	}
	if m.progress != nil {
		if m.without {
			m.progress.Percentage = s.reached
		}
		s.reached = m.progress.Percentage
		s.to.Progress(*m.progress)
		s.show(sdk.OutputFrame{Tool: m.progress.Tool}, sdk.OutputFrame{Delta: m.progress.Delta})
	}
	if m.resume != nil && s.to.Resume(m.resume) != nil {
		s.refused++
	}
	if meter, ok := s.to.(sdk.Meter); ok && m.spent != nil {
		meter.Spent(*m.spent)
	}
	s.answer.merge(m.answer)
	if s.answer.given() {
		s.text = nil
	}
	return true
}

// show gives what the program says to whoever follows the task.
func (s *stream) show(frames ...sdk.OutputFrame) {
	if live, ok := s.to.(sdk.Output); ok {
		live.Output(frames...)
	}
}

// merge lets a later answer count: of result and question the last, and a failure for good.
func (a *answer) merge(later answer) {
	if later.failure != nil {
		a.failure = later.failure
	}
	if later.result != nil || later.input != nil || later.unfit != nil {
		a.result, a.input, a.unfit = later.result, later.input, later.unfit
	}
}

// refuse makes err the answer in place of a result or question.
func (a *answer) refuse(err *sdk.AgentError) { a.result, a.input, a.unfit = nil, nil, err }
