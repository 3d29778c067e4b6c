package command

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// Dialect is how one kind of program is spoken to. It is safe for concurrent use.
type Dialect interface {
	// Talk begins one attempt. An error ends the attempt before the program is started.
	Talk(a *sdk.Assignment, r sdk.Reporter) (Talk, error)
}

// Talk is what is said in one attempt: what the program is given, what its output means, and what its end does.
type Talk interface {
	// Args are the program's arguments after those of [Config.Argv].
	Args() []string
	// Input is the program's standard input.
	Input() []byte
	// WriteCloser takes the program's standard output and its end; it neither blocks nor fails, and bounds what it keeps.
	io.WriteCloser
	// Conclude answers what the attempt comes to. It is called once, after Close, when the program and all it started are gone.
	Conclude(e Exit) (*sdk.Result, error)
}

// jsonLines is the dialect of this package's documentation.
type jsonLines struct {
	maxLine, maxLog int
	clean           *redact.Redactor
	log             *slog.Logger
}

// Talk implements Dialect.
func (d jsonLines) Talk(a *sdk.Assignment, r sdk.Reporter) (Talk, error) {
	input, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("write the assignment: %w", err)
	}
	return &jsonTalk{
		stream: newStream(d.maxLine, d.maxLog, r), input: input, clean: d.clean,
		log: d.log.With("task", a.Task.ID, "stage", a.Stage, "attempt", a.Attempt),
	}, nil
}

// jsonTalk is one attempt in JSON lines.
type jsonTalk struct {
	*stream
	input []byte
	clean *redact.Redactor
	log   *slog.Logger
}

// Args implements Talk.
func (t *jsonTalk) Args() []string { return nil }

// Input implements Talk.
func (t *jsonTalk) Input() []byte { return t.input }

// Conclude implements Talk.
func (t *jsonTalk) Conclude(e Exit) (*sdk.Result, error) {
	t.report()
	e.Stdout = t.stream.log.redacted(t.clean)
	res, err := ending{Exit: e, answer: t.answer, text: t.text, textOver: t.textOver}.conclude()
	if err == nil {
		addLearned(res, t.answer.result == nil, t.clean)
	}
	return res, err
}

// report logs what was wrong with what the program said, without any of it.
func (t *jsonTalk) report() {
	for wrong := range t.warned {
		t.log.Warn("the program printed a line that is not understood", "what", wrong)
	}
	if t.refused > 0 {
		t.log.Warn("resume data was refused", "lines", t.refused)
	}
}
