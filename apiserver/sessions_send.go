package apiserver

import (
	"context"
	"errors"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/google/uuid"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workflows"
)

type sendSessionTaskInput struct {
	ID             string `path:"id" doc:"The session's id."`
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 printable ASCII characters. The same key and body answer the session's first task again."`

	body  requestBody
	keys  []string
	query query
}

// Resolve takes what huma has no eyes for.
func (in *sendSessionTaskInput) Resolve(ctx huma.Context) []error {
	c := humagin.Unwrap(ctx)
	in.body, in.keys, in.query = readBody(c), c.Request.Header.Values("Idempotency-Key"), queryOf(ctx.URL())
	return nil
}

// sendSessionTask gives a session a task, which is done after those that were sent before.
func (s *Server) sendSessionTask(ctx context.Context, in *sendSessionTaskInput) (*createTaskOutput, error) {
	d, fault := decode[sdk.SessionTaskRequest](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	key, faults := keyFaults(in.keys)
	d.add(idFaults(in.ID)...)
	d.add(faults...)
	d.add(in.query.faults()...)
	d.add(faultsOf(d.value.Validate())...)
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.ownedSessions(ctx); err != nil {
		return nil, s.sessionProblem(ctx, err)
	}
	send, err := s.sessionTaskOf(in.ID, key, d.value)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	task, replayed, err := s.cfg.Sessions.SendTask(ctx, callerOf(ctx).project, in.ID, send)
	if err != nil {
		return nil, s.sessionProblem(ctx, err)
	}
	s.metrics.creation(replayed)
	return created(s.linked(task), replayed), nil
}

// sessionTaskOf is what a session is sent: as it may be stored. The digest is of what the caller sent.
func (s *Server) sessionTaskOf(session, key string, r sdk.SessionTaskRequest) (in workflows.SendTaskInput, err error) {
	seed := key
	if key == "" {
		fresh, err := uuid.NewV7()
		if err != nil {
			return in, err
		}
		seed = "new " + fresh.String()
	} else if in.Digest, err = digestOf(r); err != nil {
		return in, err
	} else {
		seed = "key " + seed
	}
	in.TaskID = workflows.SessionTaskID(session, seed)
	in.Request, err = redactSessionTask(s.redaction.Redactor, r)
	return in, err
}

// redactSessionTask is a task for a session as it may be stored, which is also what the agent gets. It was valid; what is too large with its
// secrets marked is cut.
func redactSessionTask(clean *redact.Redactor, r sdk.SessionTaskRequest) (sdk.SessionTaskRequest, error) {
	if clean == nil {
		return r, nil
	}
	r.Prompt = cutRunes(clean.String(r.Prompt), sdk.MaxSessionPrompt)
	if r.Context != nil {
		known := redactContext(clean, *r.Context)
		r.Context = &known
	}
	if e, ok := errors.AsType[*sdk.Error](r.Validate()); ok {
		e.Message = "the request is not valid once its secrets are redacted"
		return r, e
	}
	return r, nil
}

func redactContext(clean *redact.Redactor, c sdk.SessionContext) sdk.SessionContext {
	text := func(s string, limit int) string { return sdk.Cut(clean.String(s), limit) }
	texts := func(list []string) []string {
		list = slices.Clone(list)
		for i := range list {
			list[i] = text(list[i], sdk.MaxContextText)
		}
		return list
	}
	c.Episodes = slices.Clone(c.Episodes)
	for i, e := range c.Episodes {
		c.Episodes[i] = sdk.Episode{
			ID: text(e.ID, sdk.MaxContextName), Summary: text(e.Summary, sdk.MaxContextText), Outcome: text(e.Outcome, sdk.MaxContextOutcome),
		}
	}
	if m := c.Memory; m != nil {
		c.Memory = &sdk.Memory{Goal: text(m.Goal, sdk.MaxContextGoal), Discoveries: texts(m.Discoveries), WorkingSet: texts(m.WorkingSet)}
	}
	c.SkillHints = slices.Clone(c.SkillHints)
	for i := range c.SkillHints {
		c.SkillHints[i].Name = text(c.SkillHints[i].Name, sdk.MaxContextName)
	}
	c.Metadata = redactMetadata(clean, c.Metadata)
	return c
}
