package apiserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/google/uuid"

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
	id, digest, err := sessionIdentity(who.project, key, d.value)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	entry, fault := s.projects.enter(who)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	defer entry.leave()
	session, replayed, err := s.cfg.Sessions.OpenSession(ctx, s.sessionOf(who, id, d.value), digest)
	entry.created = err == nil
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

// sessionIdentity is a new session's id and the digest of what opened it: with a key both follow from the request, without one the id is
// new and the digest empty.
func sessionIdentity(project, key string, config sdk.SessionConfig) (id, digest string, err error) {
	if key == "" {
		fresh, err := uuid.NewV7()
		return fresh.String(), "", err
	}
	digest, err = digestOf(config)
	return keyedID(project, key), digest, err
}

// digestOf is the digest of a request, by which the same one is known again.
func digestOf(request any) (string, error) {
	body, err := canonicalJSON(request)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}
