package workflows

import (
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestEscapes: a text is counted as it is encoded.
func TestEscapes(t *testing.T) {
	t.Parallel()
	texts := []string{"", "plain <&> text", "a\xff\xc3(\u2028", "\xed\xa0\x80", "\uFFFD", "\U0001F600", "\u2029"}
	for r := range rune(0x100) {
		texts = append(texts, string(r))
	}
	for _, text := range texts {
		if size, err := EncodedSize(text); err != nil || size != escaped(text) {
			t.Errorf("%q has %d bytes, %v; %d are counted", text, size, err, escaped(text))
		}
	}
}

// largestRecord is the record of a task with so many attempts, and questions of so many bytes, that leaves otherwise as much as one can: the
// largest result, all that it can have been answered, and texts of what takes most where they are encoded.
func largestRecord(in TaskInput, attempts, question int) sdk.Task {
	text := func(size int) string { return strings.Repeat("\x01", size) }
	c := NewCourse(in, noon())
	c.task = endedTask(in, agentAnswer{Output: textOf(sdk.MaxOutput), Reflection: textOf(sdk.MaxReflection), QualityGate: textOf(sdk.MaxReflection)})
	c.task.Progress = &sdk.Progress{Phase: text(sdk.MaxPhase), Message: text(sdk.MaxMessage), Delta: text(sdk.MaxDelta)}
	for range maxEpisodeRefs {
		c.task.Result.EpisodeRefs = append(c.task.Result.EpisodeRefs, text(sdk.MaxModel))
	}
	for range sdk.MaxAnswers {
		c.task.Answers = append(c.task.Answers, sdk.Answer{RequestID: QuestionID(5, 100), Prompt: text(question), Answer: textOf(sdk.MaxAnswer)})
	}
	for i := range attempts {
		c.task.Attempts = append(c.task.Attempts, sdk.Attempt{
			Attempt: i + 1, Role: in.Request.Role, AgentID: strings.Repeat("a", 128), Model: text(sdk.MaxModel), StartedAt: noon(), Outcome: sdk.OutcomeFailed,
			Error: &sdk.TaskError{Code: sdk.CodeAgentFailed, Message: text(maxChainMessage)},
		})
	}
	return c.Record()
}

// TestCourse_RecordFitsWhateverTheTexts: a record has room whatever its texts are made of. What has to go is what is found elsewhere.
func TestCourse_RecordFitsWhateverTheTexts(t *testing.T) {
	t.Parallel()
	in := TaskInput{Project: "p", ID: "t1", CreatedAt: noon(), Request: sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "t", Metadata: map[string]string{}}.Resolve()}
	for i := range sdk.MaxMetadata {
		in.Request.Metadata[strings.Repeat("\x01", sdk.MaxMetadataKey-1)+string(rune('0'+i))] = strings.Repeat("\x01", sdk.MaxMetadataValue)
	}
	for _, attempts := range []int{0, 600} {
		record := largestRecord(in, attempts, sdk.MaxPrompt)
		if size, err := EncodedSize(record); err != nil || size > maxRecord {
			t.Errorf("with %d attempts: %d bytes, %v", attempts, size, err)
		}
		if len(record.Result.Output) != sdk.MaxOutput || len(record.Answers) != sdk.MaxAnswers || len(record.Answers[0].Answer) != sdk.MaxAnswer {
			t.Errorf("with %d attempts it lacks what was answered", attempts)
		}
	}
	c := NewCourse(in, noon())
	c.task.Metadata = nil
	c.task.Attempts = make([]sdk.Attempt, 100)
	for range sdk.MaxAnswers {
		c.task.Answers = append(c.task.Answers, sdk.Answer{Prompt: strings.Repeat("\n", sdk.MaxPrompt), Answer: textOf(sdk.MaxAnswer)})
	}
	c.task.Result = &sdk.Result{Output: textOf(sdk.MaxOutput)}
	if record := c.Record(); len(record.Attempts) != 100 || len(record.Answers[0].Prompt) != sdk.MaxPrompt {
		t.Errorf("%d attempts and questions of %d bytes are left of what has room", len(record.Attempts), len(record.Answers[0].Prompt))
	}
}
