package workflows

import (
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/sdk"
)

// NewSession is the session of an input as it stands when it is opened, links left to whoever serves it. Its run started, or starts, at the
// given time, which is when it was opened where the input does not say, or says what can not be.
func NewSession(in SessionInput, started time.Time) sdk.Session {
	config, openedAt := ResolveSession(in.Config, in.ModelOverrides), in.CreatedAt
	if openedAt.After(started) || openedAt.UTC().Year() < 1 || openedAt.IsZero() {
		openedAt = started
	}
	return WithSessionLists(sdk.Session{
		ID: in.ID, Status: sdk.SessionOpen, CostTier: config.CostTier, OrchestratorModel: config.OrchestratorModel,
		ExecutorModel: config.ExecutorModel, QualityGates: config.QualityGates, ClientID: config.ClientID, Metadata: config.Metadata,
		CreatedAt: openedAt, LastActivityAt: openedAt,
	})
}

// WithSessionLists makes every list of a session one that is written as [] when it is empty.
func WithSessionLists(s sdk.Session) sdk.Session {
	if s.Metadata == nil {
		s.Metadata = map[string]string{}
	}
	for _, list := range []*[]string{&s.Lessons, &s.FollowUps, &s.EpisodeRefs} {
		if *list == nil {
			*list = []string{}
		}
	}
	return s
}

// SessionStartAttributes are the search attributes that the run of a new session starts with.
func SessionStartAttributes(project string, s sdk.Session) temporal.SearchAttributes {
	attributes := []temporal.SearchAttributeUpdate{
		AttrProject.ValueSet(project), AttrSession.ValueSet(s.ID), AttrStatus.ValueSet(string(s.Status)),
	}
	if s.ClientID != "" {
		attributes = append(attributes, AttrClient.ValueSet(s.ClientID))
	}
	return temporal.NewSearchAttributes(attributes...)
}

// SessionStartMemo is the memo that the run of a new session starts with. The digest of the canonical request is set for one with an
// idempotency key.
func SessionStartMemo(s sdk.Session, digest string) map[string]any {
	memo := map[string]any{MemoSession: s}
	if digest != "" {
		memo[MemoDigest] = digest
	}
	return memo
}

// SessionSummary is the one line a session's run shows in the Temporal UI.
func SessionSummary(s sdk.Session) string {
	if s.ClientID == "" {
		return "session · " + string(s.CostTier)
	}
	return "session · " + string(s.CostTier) + " · " + s.ClientID
}

// SessionEvent is event seq of a session's own story, which began when the session was opened.
func SessionEvent(in SessionInput, seq int, at time.Time, t sdk.EventType, data any) sdk.Event {
	e := sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: in.ID + "." + strconv.Itoa(seq), Source: "/projects/" + in.Project + "/sessions/" + in.ID,
		Type: t, Subject: "session/" + in.ID, Time: at.UTC(), Project: in.Project, Session: in.ID, Seq: seq,
	}
	if len(in.Organization) <= sdk.MaxEventID {
		e.Organization = in.Organization
	}
	return withData(e, data)
}
