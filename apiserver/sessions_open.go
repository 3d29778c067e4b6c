package apiserver

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

type openSessionInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 printable ASCII characters. The same key and body answer the first session again."`

	body  requestBody
	keys  []string
	query query
}

// Resolve takes what huma has no eyes for.
func (in *openSessionInput) Resolve(ctx huma.Context) []error {
	c := humagin.Unwrap(ctx)
	in.body, in.keys, in.query = readBody(c), c.Request.Header.Values("Idempotency-Key"), queryOf(ctx.URL())
	return nil
}

type openSessionOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the session is read."`
	Replayed string `header:"Idempotent-Replayed" doc:"true when the session was opened by an earlier request of the same key."`
	Body     sdk.Session
}

func (s *Server) openSession(ctx context.Context, in *openSessionInput) (*openSessionOutput, error) {
	d, fault := decode[sdk.SessionConfig](in.body.orEmpty())
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	key, faults := keyFaults(in.keys)
	d.add(faults...)
	d.add(in.query.faults()...)
	d.add(faultsOf(d.value.Validate())...)
	d.add(s.secretsInSession(d.value)...)
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.needSessions(); err != nil {
		return nil, s.problem(ctx, err)
	}
	who := callerOf(ctx)
	session, replayed, err := create(ctx, s, creation[sdk.Session]{
		key: key, digest: func() (string, error) { return digestOf(d.value) },
		start: func(id, digest string) (sdk.Session, bool, error) {
			return s.cfg.Sessions.OpenSession(ctx, s.sessionOf(who, id, d.value), digest)
		},
	})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &openSessionOutput{Status: http.StatusCreated, Location: "/v1/sessions/" + session.ID, Body: s.linkedSession(session)}
	if replayed {
		out.Status, out.Replayed = http.StatusOK, "true"
	}
	return out, nil
}

// sessionOf is what a session starts with: as it may be stored, with everything filled in.
func (s *Server) sessionOf(who caller, id string, config sdk.SessionConfig) workflows.SessionInput {
	config.Metadata = redactMetadata(s.redaction.Redactor, config.Metadata)
	overrides := workflows.ModelOverrides{Orchestrator: s.cfg.OrchestratorModel, Executor: s.cfg.ExecutorModel}
	if config.OrchestratorModel == "" {
		config.OrchestratorModel = overrides.Orchestrator
	}
	if config.ExecutorModel == "" {
		config.ExecutorModel = overrides.Executor
	}
	return workflows.SessionInput{
		Project: who.project, Organization: who.organization, ID: id, Config: config.Resolve(), FairnessKey: who.key, ModelOverrides: overrides,
	}
}

// secretsInSession refuses names that hold a secret: redacted, they would be other names.
func (s *Server) secretsInSession(c sdk.SessionConfig) (faults []sdk.Fault) {
	for _, named := range []struct{ path, name string }{
		{"$.clientId", c.ClientID}, {"$.orchestratorModel", c.OrchestratorModel}, {"$.executorModel", c.ExecutorModel},
	} {
		if len(named.name) <= sdk.MaxModel && s.redaction.Redactor.String(named.name) != named.name {
			faults = append(faults, sdk.Fault{Path: named.path, Message: secretInID})
		}
	}
	return faults
}
