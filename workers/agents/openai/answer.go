package openai

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	api "github.com/openai/openai-go/v3"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/sdk/transcript"
	"github.com/rolecall-dev/rolecall/workers/agents/internal/learned"
)

// The categories of progress.
const (
	categorySession = "session"
	categoryMessage = "message"
)

// answer is what a model says, as it comes: at most [sdk.MaxOutput] bytes of it.
type answer struct {
	to    sdk.Reporter
	clean *redact.Redactor // of what is learned; nil: nothing is redacted

	text    strings.Builder
	refused strings.Builder // why the model does not answer, in its own words
	tooLong bool            // there is more text than may be held
	finish  string          // why it ended; "" until it has
	model   string          // as the endpoint calls the one that answers, once it says so
	metrics sdk.Metrics
}

// take takes the next piece.
func (a *answer) take(c api.ChatCompletionChunk) {
	if c.Model != "" {
		a.model = c.Model
	}
	if c.JSON.Usage.Valid() {
		a.count(c.Usage)
	}
	for _, choice := range c.Choices {
		if choice.Index != 0 { // one was asked for
			continue
		}
		if delta := choice.Delta.Content; a.add(&a.text, delta) {
			a.show(delta)
		}
		a.add(&a.refused, choice.Delta.Refusal)
		a.finish = cmp.Or(a.finish, choice.FinishReason)
	}
}

// add adds to a text while there is room, and reports whether it did.
func (a *answer) add(text *strings.Builder, delta string) bool {
	a.tooLong = a.tooLong || text.Len()+len(delta) > sdk.MaxOutput
	if delta == "" || a.tooLong {
		return false
	}
	text.WriteString(delta)
	return true
}

// show gives what the model says to whoever follows the task.
func (a *answer) show(delta string) {
	if live, ok := a.to.(sdk.Output); ok {
		live.Output(sdk.OutputFrame{Delta: delta})
	}
	a.to.Progress(sdk.Progress{Category: categoryMessage, Phase: "Processing", Delta: delta})
}

// count takes what the request took so far, all of it. Most endpoints say it once, at the end.
func (a *answer) count(u api.CompletionUsage) {
	total := cmp.Or(u.TotalTokens, u.PromptTokens+u.CompletionTokens)
	a.metrics = sdk.Metrics{}.Plus(sdk.Metrics{TokensUsed: &total, InputTokens: &u.PromptTokens, OutputTokens: &u.CompletionTokens})
	if meter, ok := a.to.(sdk.Meter); ok {
		meter.Spent(a.metrics)
	}
}

// result is that of an answer that has ended. A reason for its end that is none of the protocol's is taken for a good one.
func (a *answer) result() (*sdk.Result, error) {
	switch a.finish {
	case "length":
		return nil, sdk.Retryable(CodeModelError, errors.New("the model's answer was cut off at its length limit"))
	case "content_filter":
		return nil, sdk.Final(CodeModelError, errors.New("the endpoint's content filter cut the model's answer off"))
	case "tool_calls", "function_call":
		return nil, sdk.Retryable(CodeModelError, errors.New("the model called a tool, and has none"))
	case "error":
		return nil, sdk.Retryable(CodeModelError, errors.New("the model's answer ended with an error that the endpoint does not explain"))
	}
	if a.text.Len() == 0 {
		if a.refused.Len() > 0 {
			return nil, sdk.Final(CodeModelError, fmt.Errorf("the model refused: %s", a.refused.String()))
		}
		return nil, sdk.Retryable(CodeModelError, errors.New("the model gave no answer"))
	}
	out, err := output(a.text.String())
	if err != nil {
		return nil, err
	}
	a.to.Progress(sdk.Progress{Category: categoryMessage, Phase: "Processing", Message: a.text.String()})
	res := &sdk.Result{Output: out, Metrics: a.metrics}
	if len(a.model) <= sdk.MaxModel {
		res.Model = a.model
	}
	learned.Complete(res, a.learned())
	return res, nil
}

// learned is what the answer says of gates, lessons and episodes. Its secrets go first: what is kept is cut.
func (a *answer) learned() transcript.Result {
	c := transcript.NewCollector("", transcript.Careful())
	c.Add(transcript.Event{Type: categoryMessage, Text: a.clean.String(a.text.String())})
	return c.Result(0)
}

// output is a text as the output of a result.
func output(text string) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(struct {
		Text string `json:"text"`
	}{text}); err != nil {
		return nil, fmt.Errorf("write the answer as JSON: %w", err)
	}
	out := bytes.TrimSpace(b.Bytes())
	if len(out) > sdk.MaxOutput {
		return nil, tooLarge()
	}
	return out, nil
}

func tooLarge() *sdk.AgentError {
	return sdk.Final(sdk.CodePayloadTooLarge, sdk.Errorf(sdk.CodePayloadTooLarge,
		"the answer is larger than the %d bytes an output may hold; ask for a shorter one, or divide the task", sdk.MaxOutput))
}
