package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

const (
	outputTrust       = 5 * time.Second // for which an attempt that was seen to run is taken for running
	maxOutputAttempts = 10_000          // known at once
)

// outputAttempts knows attempts that were seen to run lately, so that output does not ask Temporal about each of its calls.
type outputAttempts struct {
	mu   sync.Mutex
	seen map[string]time.Time // by the attempt's name
}

func (o *outputAttempts) knows(attempt string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Since(o.seen[attempt]) < outputTrust
}

func (o *outputAttempts) saw(attempt string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.seen) >= maxOutputAttempts || o.seen == nil {
		o.seen = map[string]time.Time{}
	}
	o.seen[attempt] = time.Now()
}

type sendOutputInput struct {
	ID string `path:"id" doc:"The id of a running task."`

	body  requestBody
	query query
}

// Resolve takes the body and the whole query.
func (in *sendOutputInput) Resolve(ctx huma.Context) []error {
	in.body, in.query = readBody(humagin.Unwrap(ctx)), queryOf(ctx.URL())
	return nil
}

// sendOutput gives live output to whoever follows the task now. It is kept nowhere.
func (s *Server) sendOutput(ctx context.Context, in *sendOutputInput) (*struct{}, error) {
	d, fault := decode[sdk.TaskOutput](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(idFaults(in.ID)...)
	d.add(in.query.faults()...)
	if n := len(in.body.raw); n > sdk.MaxOutputCall {
		d.add(sdk.Fault{Path: "$", Message: "is larger than " + strconv.Itoa(sdk.MaxOutputCall) + " bytes: send it in several calls"})
	}
	d.add(outputFaults(d.value)...)
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.checkOwner(ctx); err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	who := callerOf(ctx)
	claims := attemptClaims{Project: who.project, Task: in.ID, Stage: d.value.Stage, Attempt: d.value.Attempt}
	if err := s.checkOutputOf(ctx, claims); err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	log, fault := s.eventLog()
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	if d.value.Frames = redactFrames(s.redaction.Redactor, d.value.Frames); len(d.value.Frames) == 0 {
		return &struct{}{}, nil
	}
	data, err := json.Marshal(d.value)
	if err == nil {
		err = log.PublishOutput(who.project, in.ID, data)
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &struct{}{}, nil
}

// redactFrames is the frames of a call as they may be shown: not every sender is a role worker, which redacts all that its agent says. What
// they add up to is one text, of which a secret may be in several: those that have nothing else are left out. A tool is redacted by itself.
func redactFrames(clean *redact.Redactor, frames []sdk.OutputFrame) (shown []sdk.OutputFrame) {
	said := make([]string, 0, len(frames)+1)
	for _, f := range frames {
		if f.Delta == "" { // a text and a tool begin a line of their own
			f.Text = "\n" + f.Text
		}
		said = append(said, f.Text+f.Delta)
	}
	said = clean.Stream().AddAll(append(said, "\n"))
	for i, f := range frames {
		switch {
		case f.Tool != "":
			f.Tool = clean.String(f.Tool)
		case f.Text != "":
			f.Text = strings.TrimPrefix(said[i], "\n")
		default:
			f.Delta = said[i]
		}
		if f != (sdk.OutputFrame{}) {
			shown = append(shown, f)
		}
	}
	return shown
}

// checkOutputOf refuses what is not of an attempt that an agent has now.
func (s *Server) checkOutputOf(ctx context.Context, claims attemptClaims) error {
	if s.outputs.knows(claims.name()) {
		return nil
	}
	_, running, err := s.runningAttempt(ctx, claims)
	if err != nil {
		return err
	}
	if running == nil {
		return sdk.Errorf(sdk.CodeConflict, "no agent has attempt %d of stage %d now; live output is of one that runs", claims.Attempt, claims.Stage)
	}
	s.outputs.saw(claims.name())
	return nil
}

func outputFaults(o sdk.TaskOutput) (faults []sdk.Fault) {
	refuse := func(path, format string, args ...any) {
		faults = append(faults, sdk.Fault{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if o.Stage < 0 {
		refuse("$.stage", "must be 0 or more, as the assignment has it")
	}
	if o.Attempt < 1 {
		refuse("$.attempt", "is required: 1 or more, as the assignment has it")
	}
	if n := len(o.Frames); n < 1 || n > sdk.MaxOutputFrames {
		refuse("$.frames", "must be 1 to %d", sdk.MaxOutputFrames)
	}
	for i, f := range o.Frames[:min(len(o.Frames), sdk.MaxOutputFrames)] {
		set := 0
		for _, part := range []string{f.Text, f.Tool, f.Delta} {
			if part != "" {
				set++
			}
		}
		if set != 1 {
			refuse(fmt.Sprintf("$.frames[%d]", i), "must have one of text, tool and delta")
		}
	}
	return faults
}
