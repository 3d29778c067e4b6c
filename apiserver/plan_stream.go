package apiserver

import (
	"context"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

type streamPlanEventsInput struct {
	ID          string `path:"id" doc:"The plan's id."`
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that was read, to go on after it."`

	query query
	last  []string
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *streamPlanEventsInput) Resolve(ctx huma.Context) []error {
	in.query, in.last = queryOf(ctx.URL()), humagin.Unwrap(ctx).Request.Header.Values(headerLastEventID)
	return nil
}

func (in *streamPlanEventsInput) read() (want runStream, faults []sdk.Fault) {
	faults = append(idFaults(in.ID), in.query.faults()...)
	last, given, more := lastEventID(in.last)
	want.last, want.resumed = last, given
	return want, append(faults, more...)
}

// streamPlanEvents follows a plan and its tasks to the plan's end: from its first event, or the one after the last that was read.
func (s *Server) streamPlanEvents(ctx context.Context, in *streamPlanEventsInput) (*huma.StreamResponse, error) {
	want, faults := in.read()
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	want.of = s.streamedPlan(callerOf(ctx).project, in.ID)
	err := s.ownedPlan(ctx, in.ID)
	if err == nil {
		want.life, err = want.of.glance(ctx)
	}
	if err != nil {
		return nil, s.planProblem(ctx, err)
	}
	return s.streamRun(ctx, want)
}

// streamedPlan is a plan as its stream goes by it.
func (s *Server) streamedPlan(project, id string) streamedRun {
	marking := sdk.EventPatterns{sdk.EventPattern(sdk.EventTaskCreated), sdk.EventPattern(sdk.EventPlanStep)}
	for _, t := range lastEvents() {
		marking = append(marking, sdk.EventPattern(t))
	}
	ends := []sdk.EventType{sdk.EventPlanCompleted, sdk.EventPlanFailed, sdk.EventPlanCancelled}
	return streamedRun{
		streamedStory: streamedStory{
			project: project, story: eventlog.Story{Kind: eventlog.KindPlan, ID: id}, kind: "plan", over: "has ended",
			end: ends, last: ends,
		},
		filter: eventlog.Filter{Plan: id}, marking: marking, again: true, voice: planVoice{},
		glance: func(ctx context.Context) (lifetime, error) {
			plan, err := s.cfg.Plans.GlanceAtPlan(ctx, project, id)
			return lifetime{began: plan.CreatedAt, over: plan.Status.Terminal(), ended: plan.CompletedAt}, err
		},
	}
}

// planVoice tells the events of a plan as they are.
type planVoice struct{}

func (planVoice) lacks(*eventlog.Record) bool { return false }

func (planVoice) learn(context.Context, *eventlog.Record) error { return nil }

// tell leaves the event's own position out where it is told in another order than that of the log: who goes on after it would miss some.
func (planVoice) tell(r *eventlog.Record, at uint64) (*shown, error) {
	data := r.Data
	if at == r.Sequence {
		data = r.JSON()
	}
	return &shown{name: string(r.Type), data: data, at: at}, nil
}

// marks knows of tasks also by the plan's own story: while the log is away that can be there before anything of a task's.
func (planVoice) marks(r *eventlog.Record) (marks []storyMark, err error) {
	switch {
	case r.Type == sdk.EventPlanStep:
		d, err := dataOf[sdk.PlanStepped](r)
		if err != nil || d.To != sdk.StepRunning {
			return nil, err
		}
		return []storyMark{{task: d.TaskID}}, nil
	case r.Type == sdk.EventPlanCompleted, r.Type == sdk.EventPlanFailed, r.Type == sdk.EventPlanCancelled:
		d, err := dataOf[sdk.PlanEnded](r)
		for _, id := range d.PlanningTaskIDs {
			marks = append(marks, storyMark{task: id})
		}
		return marks, err
	case r.Type == sdk.EventTaskCompleted: // a code.* may follow
		d, err := dataOf[sdk.TaskEnded](r)
		return []storyMark{{task: taskOf(r), over: !workflows.TellsCode(d.Type)}}, err
	default:
		return []storyMark{{task: taskOf(r), over: workflows.EndsStory(r.Type)}}, nil
	}
}

// dataOf reads the data of an event. One that the log keeps without its data says nothing.
func dataOf[T any](r *eventlog.Record) (d T, err error) {
	e, err := r.Event()
	if err != nil || len(e.Data) == 0 {
		return d, err
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return d, sdk.Errorf(sdk.CodeInternal, "event %d of the log has data of another shape than its type: %v", r.Sequence, err)
	}
	return d, nil
}
