package apiserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// leaseFaults collects what is wrong with what an agent says.
type leaseFaults []sdk.Fault

func (f *leaseFaults) add(wrong bool, path, format string, args ...any) {
	if wrong {
		*f = append(*f, sdk.Fault{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

func (f *leaseFaults) text(path, value string, most int) {
	f.add(len(value) > most, path, "is larger than %d bytes", most)
}

func (f *leaseFaults) json(path string, raw json.RawMessage, most int) {
	f.add(len(raw) > most, path, "is larger than %d bytes", most)
}

func (f *leaseFaults) metrics(m *sdk.Metrics) {
	if m == nil {
		return
	}
	f.add(m.DurationMs < 0, "$.metrics.durationMs", "must be 0 or more")
	for name, n := range map[string]*int64{"tokensUsed": m.TokensUsed, "inputTokens": m.InputTokens, "outputTokens": m.OutputTokens} {
		f.add(n != nil && *n < 0, "$.metrics."+name, "must be 0 or more")
	}
	f.add(m.CostUSD != nil && *m.CostUSD < 0, "$.metrics.costUsd", "must be 0 or more")
	sortFaults(*f)
}

func progressFaults(p sdk.LeaseProgress) []sdk.Fault {
	var f leaseFaults
	f.add(p.Percentage != nil && (*p.Percentage < 0 || *p.Percentage > 100), "$.percentage", "must be from 0 to 100")
	f.text("$.phase", p.Phase, sdk.MaxPhase)
	f.text("$.message", p.Message, sdk.MaxMessage)
	f.text("$.delta", p.Delta, sdk.MaxDelta)
	f.text("$.category", p.Category, sdk.MaxPhase)
	f.text("$.tool", p.Tool, sdk.MaxPhase)
	f.json("$.resume", p.Resume, sdk.MaxResume)
	f.metrics(p.Metrics)
	return f
}

func resultFaults(r sdk.LeaseResult) []sdk.Fault {
	var f leaseFaults
	f.text("$.model", r.Model, sdk.MaxModel)
	f.json("$.qualityGate", r.QualityGate, sdk.MaxReflection)
	f.json("$.reflection", r.Reflection, sdk.MaxReflection)
	f.metrics(r.Metrics)
	return f
}

func failureFaults(r sdk.LeaseFailure) []sdk.Fault {
	var f leaseFaults
	f.add(!r.Error.Code.Valid(), "$.error.code", "is required: lower-case with underscores, at most 63 characters")
	f.add(strings.TrimSpace(r.Error.Message) == "", "$.error.message", "is required: what went wrong, for people")
	f.json("$.error.details", r.Error.Details, sdk.MaxErrorDetails)
	f.add(r.Error.RetryAfterMs < 0 || r.Error.RetryAfterMs > sdk.MaxTimeoutMs, "$.error.retryAfterMs", "must be from 0 to %d", sdk.MaxTimeoutMs)
	f.json("$.resume", r.Resume, sdk.MaxResume)
	f.metrics(r.Metrics)
	return f
}

func questionFaults(r sdk.LeaseQuestion) []sdk.Fault {
	var f leaseFaults
	f.add(strings.TrimSpace(r.Prompt) == "", "$.prompt", "is required: the question, for people")
	f.text("$.prompt", r.Prompt, sdk.MaxPrompt)
	if err := workflows.CheckSchema(orNothing(r.Schema)); err != nil {
		f.add(true, "$.schema", "can not be used: %s", errorOf(err).Message)
	}
	f.json("$.resume", r.Resume, sdk.MaxResume)
	f.metrics(r.Metrics)
	return f
}

// orNothing is raw, or nothing for null.
func orNothing(raw json.RawMessage) json.RawMessage {
	if isNull(raw) {
		return nil
	}
	return raw
}

// wordOf is what an agent says beside its progress, without secrets.
func (s *Server) wordOf(resume json.RawMessage, spent *sdk.Metrics) activities.Word {
	w := activities.Word{Spent: spent}
	if resume = orNothing(resume); len(resume) > 0 {
		if clean := s.redaction.Redactor.JSON(resume); sdk.CheckJSON(clean, sdk.MaxResume) == nil { // the marks may take more room than the secrets
			w.Resume = clean
		}
	}
	return w
}

// progressOf is a progress without secrets. That goes before it is cut: what is left of one is no longer known for one.
func (s *Server) progressOf(p sdk.LeaseProgress) *sdk.Progress {
	out := sdk.Progress{Phase: p.Phase, Message: p.Message, Delta: p.Delta, Category: p.Category, Tool: p.Tool}
	if p.Percentage != nil {
		out.Percentage = *p.Percentage
	}
	for _, text := range []*string{&out.Phase, &out.Message, &out.Delta, &out.Category, &out.Tool} {
		*text = s.redaction.Redactor.String(*text)
	}
	out = out.Trim()
	return &out
}

// resultOf is a result as its task gets it. What it holds is the task's output, and stays as it is.
func resultOf(r sdk.LeaseResult) *sdk.Result {
	out := &sdk.Result{
		Status: sdk.StatusCompleted, Output: r.Output, Model: r.Model, QualityGatePassed: r.QualityGatePassed,
		QualityGate: orNothing(r.QualityGate), Reflection: orNothing(r.Reflection), EpisodeRefs: r.EpisodeRefs,
	}
	if r.Metrics != nil {
		out.Metrics = *r.Metrics
	}
	return out
}

// failureOf is a failure without secrets. A code that is rolecall's own to give becomes agent_failed, but for the one that gives the task
// back.
func (s *Server) failureOf(e sdk.LeaseError) *sdk.AgentError {
	if e.Code.Reserved() && e.Code != sdk.CodeInterrupted {
		e.Code = sdk.CodeAgentFailed
	}
	fault := sdk.TaskError{Code: e.Code, Message: s.redaction.Redactor.String(e.Message), Details: s.redaction.Redactor.JSON(orNothing(e.Details))}
	return &sdk.AgentError{
		TaskError: fault.Trim(), Retryable: e.Retryable == nil || *e.Retryable, RetryAfter: time.Duration(e.RetryAfterMs) * time.Millisecond,
	}
}

// questionOf is a question without secrets. A schema that is none any more without them goes: any answer will do.
func (s *Server) questionOf(q sdk.LeaseQuestion) *sdk.InputRequired {
	out := &sdk.InputRequired{Prompt: sdk.Cut(s.redaction.Redactor.String(q.Prompt), sdk.MaxPrompt)}
	if schema := s.redaction.Redactor.JSON(orNothing(q.Schema)); workflows.CheckSchema(schema) == nil {
		out.Schema = schema
	}
	return out
}
