package openai

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestVariables: the names of our own win over those that other programs read.
func TestVariables(t *testing.T) {
	t.Parallel()
	const ours, standard = "https://ours.example/v1", "https://standard.example/v1"
	for name, tc := range map[string]struct {
		set             map[string]string
		wantURL, wantAs string
	}{
		"nothing":    {nil, DefaultBaseURL, ""},
		"standard":   {map[string]string{"OPENAI_BASE_URL": standard, "OPENAI_API_KEY": "sk-1"}, standard, "sk-1"},
		"ours":       {map[string]string{"ROLECALL_OPENAI_BASE_URL": ours, "ROLECALL_OPENAI_API_KEY": "sk-2"}, ours, "sk-2"},
		"ours first": {map[string]string{"OPENAI_BASE_URL": standard, "OPENAI_API_KEY": "sk-1", "ROLECALL_OPENAI_BASE_URL": ours, "ROLECALL_OPENAI_API_KEY": "sk-2"}, ours, "sk-2"},
		"our URL":    {map[string]string{"ROLECALL_OPENAI_BASE_URL": ours, "OPENAI_API_KEY": "sk-1"}, ours, "sk-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := env.ParseAsWithOptions[Config](env.Options{Environment: tc.set})
			if err != nil {
				t.Fatal(err)
			}
			if c, err = c.withDefaults(); err != nil || c.BaseURL != tc.wantURL || c.APIKey != tc.wantAs {
				t.Errorf("asks %s as %q (%v), want %s as %q", c.BaseURL, c.APIKey, err, tc.wantURL, tc.wantAs)
			}
		})
	}
	c, err := env.ParseAsWithOptions[Config](env.Options{Environment: map[string]string{
		"ROLECALL_OPENAI_MODEL": "small", "ROLECALL_OPENAI_PROVIDERS": "ollama,local", "ROLECALL_OPENAI_MODELS": "claude-sonnet-4=anthropic/claude-sonnet-4,big=qwen3:32b",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Model: "small", Providers: []string{"ollama", "local"}, Models: map[string]string{"claude-sonnet-4": "anthropic/claude-sonnet-4", "big": "qwen3:32b"},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", sdk.MaxModel+1)
	_, err := New(Config{
		BaseURL: "ftp://host", APIKey: "sk-secret\n", Model: long, Providers: []string{"a/b", ""}, Models: map[string]string{"x": ""}, Redact: "(",
	})
	for _, want := range []string{"ROLECALL_OPENAI_BASE_URL", "ROLECALL_OPENAI_API_KEY", "ROLECALL_OPENAI_MODEL ", `"a/b"`, `""`, `ROLECALL_OPENAI_MODELS: "x"=""`, "ROLECALL_REDACT: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("the key is told: %v", err)
	}
	for _, address := range []string{"127.0.0.1:11434/v1", "http://", "http://user:pw@host/v1", "http://host/v1?key=x", "http://host/v1#x", "://"} {
		if _, err := New(Config{BaseURL: address}); err == nil || strings.Contains(err.Error(), "pw@") {
			t.Errorf("%s: %v", address, err)
		}
	}
	many := make([]string, maxNames+1)
	for i := range many {
		many[i] = "x"
	}
	if _, err := New(Config{Providers: many}); err == nil || !strings.Contains(err.Error(), "at most 100 names") {
		t.Errorf("%d providers: %v", len(many), err)
	}
	if _, err := New(Config{StandardAPIKey: "sk-1"}); err == nil || !strings.Contains(err.Error(), "set ROLECALL_OPENAI_BASE_URL or OPENAI_BASE_URL") {
		t.Errorf("a key without an endpoint: %v", err)
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	c := Config{
		Model: "qwen3:8b", Providers: []string{"ollama", "local"}, Models: map[string]string{"claude-sonnet-4": "anthropic/claude-sonnet-4", "ollama/big": "qwen3:32b"},
	}
	for asked, want := range map[string]string{
		"":                       "qwen3:8b",
		"ollama":                 "qwen3:8b",
		"local":                  "qwen3:8b",
		"ollama/":                "qwen3:8b",
		"ollama/llama3.2":        "llama3.2",
		"ollama/hf.co/some/one":  "hf.co/some/one",
		"ollama/big":             "qwen3:32b",
		"llama3.2":               "llama3.2",
		"meta-llama/Llama-3-8B":  "meta-llama/Llama-3-8B",
		"anthropic/claude-opus":  "anthropic/claude-opus",
		"claude-sonnet-4":        "anthropic/claude-sonnet-4",
		"claude-sonnet-4-latest": "claude-sonnet-4-latest",
	} {
		if got, err := c.model(asked); err != nil || got != want {
			t.Errorf("%q is asked for as %q (%v), want %q", asked, got, err, want)
		}
	}
	c.Model = "ollama/small"
	if got, err := c.model(""); err != nil || got != "small" {
		t.Errorf("the default is asked for as %q (%v)", got, err)
	}
	c.Model = ""
	for asked, says := range map[string]string{"": "no model", "ollama": "ollama"} {
		_, err := c.model(asked)
		got, ok := errors.AsType[*sdk.AgentError](err)
		if !ok || got.Retryable || !strings.Contains(got.Message, "the stage names "+says+": ") || !strings.Contains(got.Message, "ROLECALL_OPENAI_MODEL") {
			t.Errorf("%q: %v", asked, err)
		}
	}
}

func TestPrompts(t *testing.T) {
	t.Parallel()
	const whole = "You are the reviewer, the one who reads changes and says what is wrong with them. What you answer is the result of this task, of the type code.review.\n\n" +
		"# Look at the diff\n\nAll of it.\n\n## Input\n\n{\"diff\":\"+x\"}"
	answers := []sdk.Answer{{Prompt: "Which branch?", Answer: json.RawMessage(`"main"`)}, {Prompt: "How many?", Answer: json.RawMessage(`{"n":2}`)}}
	for name, tc := range map[string]struct {
		change func(*sdk.Assignment)
		want   string
	}{
		"a task":       {func(*sdk.Assignment) {}, whole},
		"with answers": {func(a *sdk.Assignment) { a.Answers = answers }, whole + "\n\n## Answer to: Which branch?\n\nmain\n\n## Answer to: How many?\n\n{\"n\":2}"},
		"its bare self": {func(a *sdk.Assignment) {
			a.Task = sdk.Task{Role: "cook", Type: "food.cook", Title: "Soup", Input: json.RawMessage("null")}
		}, "You are the cook. What you answer is the result of this task, of the type food.cook.\n\n# Soup"},
		"text as input": {func(a *sdk.Assignment) {
			a.Task = sdk.Task{Role: "cook", Type: "food.cook", Title: "Soup", Input: json.RawMessage(`"hot\nand red"`)}
		}, "You are the cook. What you answer is the result of this task, of the type food.cook.\n\n# Soup\n\n## Input\n\nhot\nand red"},
		"of a session": {func(a *sdk.Assignment) {
			a.Task = sdk.Task{SessionID: "s", Type: sdk.TypeExecute, Title: "execute: x", Input: json.RawMessage(`{"prompt":"[Coder Mode]\n\nTask: x\n","tool":"nity_execute"}`)}
		}, "[Coder Mode]\n\nTask: x\n"},
		"of a session, with answers": {func(a *sdk.Assignment) {
			a.Task, a.Answers = sdk.Task{SessionID: "s", Title: "x", Input: json.RawMessage(`{"prompt":"Task: x"}`)}, answers[:1]
		}, "Task: x\n\n## Answer to: Which branch?\n\nmain"},
		"of a session, without a prompt": {func(a *sdk.Assignment) { a.Task.SessionID = "s" }, whole},
		"of a session, made anew": {func(a *sdk.Assignment) {
			a.Task = sdk.Task{RetryOf: "task-0", Title: "x", Input: json.RawMessage(`{"prompt":"Task: x"}`)}
		}, "Task: x"},
		"a prompt beside a description": {func(a *sdk.Assignment) { a.Task.Input = json.RawMessage(`{"prompt":"x"}`) }, strings.Replace(whole, `{"diff":"+x"}`, `{"prompt":"x"}`, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := task()
			tc.change(a)
			if diff := cmp.Diff(tc.want, prompt(a)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
