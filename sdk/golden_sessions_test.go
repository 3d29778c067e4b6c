package sdk_test

import "github.com/rolecall-dev/rolecall/sdk"

func wholeSession() sdk.Session {
	return sdk.Session{
		ID: "s1", Status: "closed", CostTier: "hybrid", OrchestratorModel: "ollama", ExecutorModel: "claude-sonnet-4", QualityGates: true, ClientID: "editor",
		Metadata: map[string]string{"a": "1"}, CurrentTaskID: "t1", QueuedTasks: 2, CompletedTasks: 3, FailedTasks: 4, Lessons: []string{"small steps"},
		FollowUps: []string{"add a test"}, EpisodeRefs: []string{"ep-041"}, CreatedAt: noon(0), LastActivityAt: noon(1), ClosedAt: new(noon(2)), CloseReason: "idle",
		Stale: true, Links: sdk.Links{Self: "/v1/sessions/s1", Events: "/v1/sessions/s1/events", UI: "http://127.0.0.1:8233/s1"},
	}
}

func wholeSessionContext() *sdk.SessionContext {
	return &sdk.SessionContext{
		Episodes:   []sdk.Episode{{ID: "ep-041", Summary: "Added auth", Outcome: "success"}},
		Memory:     &sdk.Memory{Goal: "safe forms", Discoveries: []string{"no schema"}, WorkingSet: []string{"auth.go"}},
		SkillHints: []sdk.SkillHint{{Name: "validation", SuccessRate: 0.9}}, Metadata: map[string]string{"branch": "main"},
	}
}

// sessionTypes are what the calls about sessions carry and the data of their events, whole and bare. The events of a session's stream have
// a test of their own.
func sessionTypes() map[string]any {
	return map[string]any{
		"session": wholeSession(), "session_page": sdk.SessionPage{Items: []sdk.Session{wholeSession()}, NextCursor: "c"},
		"session_config": sdk.SessionConfig{
			CostTier: "hybrid", OrchestratorModel: "ollama", ExecutorModel: "claude-sonnet-4", QualityGates: true,
			Retry:    &sdk.Retry{MaxAttempts: 3, InitialIntervalMs: 1000, BackoffCoefficient: 2, MaxIntervalMs: 60_000},
			Fallback: new(true), IdleTimeoutMs: 1_800_000, ClientID: "editor", Metadata: map[string]string{"a": "1"},
		},
		"session_task_request": sdk.SessionTaskRequest{
			Type: "execute", Prompt: "Add input validation to the forms", Context: wholeSessionContext(), Priority: "high", Role: "coder", MaxPromptTokens: 4000,
		},
		"session_stats": sdk.SessionStats{TotalSessions: 3, ActiveClients: 1, SessionsByClient: map[string]int{"editor": 2}, Truncated: true},
		"reflection":    sdk.Reflection{Lessons: []string{"small steps"}, FollowUps: []string{"add a test"}},
		"event_session_started": sdk.SessionStarted{
			SessionID: "s1", CostTier: "hybrid", OrchestratorModel: "ollama", ExecutorModel: "claude-sonnet-4", QualityGates: true, ClientID: "editor",
			Metadata: map[string]string{"a": "1"},
		},
		"event_session_closed": sdk.SessionEnded{SessionID: "s1", Reason: "requested", CompletedTasks: 3, FailedTasks: 4},

		"bare_session": sdk.Session{}, "bare_session_page": sdk.SessionPage{Items: []sdk.Session{}},
		"bare_session_task_request": sdk.SessionTaskRequest{Type: "execute", Prompt: "do it"}, "bare_session_stats": sdk.SessionStats{},
		"bare_event_session_started": sdk.SessionStarted{},
	}
}
