package workflows

import (
	"unicode/utf8"

	"github.com/rolecall-dev/rolecall/sdk"
)

// escapes is how many bytes more than its own a text takes in a payload of [DataConverter], without its quotes. The rule stands here and not
// in an encoder, so that a run that is replayed weighs as it did.
func escapes(s string) (more int) {
	const written = len(`\u0000`)
	for i, r := range s {
		switch {
		case r == '"', r == '\\', r == '\b', r == '\f', r == '\n', r == '\r', r == '\t':
			more++
		case r < ' ':
			more += written - 1
		case r == '\u2028', r == '\u2029':
			more += written - utf8.RuneLen(r)
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 { // a byte that is no text
				more += written - size
			}
		}
	}
	return more
}

// recordEscapes is how many bytes more than their own the texts of a record take, those that can be large or are many.
func recordEscapes(t sdk.Task) (more int) {
	//workflowcheck:ignore
	for key, value := range t.Metadata { // a sum
		more += escapes(key) + escapes(value)
	}
	for _, a := range t.Attempts {
		more += escapes(a.Model)
		if a.Error != nil {
			more += escapes(a.Error.Message)
		}
	}
	for _, a := range t.Answers {
		more += escapes(a.Prompt)
	}
	if p := t.Progress; p != nil {
		more += escapes(p.Phase) + escapes(p.Message) + escapes(p.Delta) + escapes(p.Category) + escapes(p.Tool)
	}
	if t.Result == nil {
		return more
	}
	for _, ref := range t.Result.EpisodeRefs {
		more += escapes(ref)
	}
	if t.Result.Error != nil {
		more += escapes(t.Result.Error.Message)
	}
	return more
}
