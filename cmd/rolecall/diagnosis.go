package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// examination is what doctor has seen.
type examination struct {
	Project    string        `json:"project"`
	Service    serviceSeen   `json:"service"`
	Temporal   temporalSeen  `json:"temporal"`
	Events     *eventsSeen   `json:"events,omitempty"`
	Control    *queueSeen    `json:"control,omitempty"`
	Versions   []versionSeen `json:"versions,omitempty"`
	Roles      []queueSeen   `json:"roles"`
	RolesNamed bool          `json:"-"` // the roles were asked for by name
	Agents     []sdk.Agent   `json:"agents,omitempty"`

	now time.Time // when it looked at the agents

	ProjectGuessed bool `json:"-"` // the key has a project of its own, which it does not tell
}

type serviceSeen struct {
	URL       string `json:"url"`
	Reachable bool   `json:"reachable"`
	Ready     bool   `json:"ready"`
	Problem   string `json:"problem,omitempty"`
	Key       string `json:"key,omitempty"` // what it has against the API key or the project
	Advice    string `json:"-"`

	Clock *clockSeen `json:"clock,omitempty"`
}

// takeKey enters what the service answered when it was asked for a task that is not there.
func (s *serviceSeen) takeKey(err error) {
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		return
	}
	if s.Advice = keyAdvice(e); s.Advice == "" {
		return
	}
	s.Key = e.Message
	for _, f := range e.Faults {
		s.Key += "; " + f.Path + " " + f.Message
	}
}

// take enters what the service said of itself.
func (s *serviceSeen) take(err error) {
	if err == nil {
		s.Reachable, s.Ready = true, true
		return
	}
	e, ok := errors.AsType[*sdk.Error](err)
	s.Reachable = ok && e.Status != 0
	s.Problem = err.Error()
	if ok {
		s.Problem = e.Message
	}
}

type temporalSeen struct {
	Address     string `json:"address"`
	Namespace   string `json:"namespace"`
	Reachable   bool   `json:"reachable"`
	RetentionMs int64  `json:"retentionMs,omitempty"`
	Problem     string `json:"problem,omitempty"`
	Fairness    string `json:"fairness,omitempty"` // one of fairnessOn and its like

	Clock *clockSeen `json:"clock,omitempty"`
}

type queueSeen struct {
	Role     sdk.Role     `json:"role,omitempty"`
	Queue    string       `json:"queue"`
	Pollers  []pollerSeen `json:"pollers"`
	Waiting  int64        `json:"waiting"`
	OldestMs int64        `json:"oldestMs,omitempty"`

	asking []build // who listens, by version, each once
	hands  handing
}

type pollerSeen struct {
	Identity  string `json:"identity"`
	SeenMsAgo int64  `json:"seenMsAgo"`
}

// finding is something to do.
type finding struct {
	Problem string `json:"problem"`
	Advice  string `json:"advice"`
}

// diagnose says what is to be done about what was seen.
func diagnose(e examination) []finding {
	found := []finding{}
	add := func(problem, advice string) { found = append(found, finding{problem, advice}) }
	switch s := e.Service; {
	case !s.Reachable:
		add("the API cannot be reached: "+s.Problem, "start it with: rolecall serve (or make dev), or set EVENTS_SERVICE_URL")
	case s.Key != "":
		add("the API does not let this caller in: "+s.Key, s.Advice)
	case !s.Ready:
		add("the API cannot take tasks: "+s.Problem, "start Temporal (make dev does), or look at the TEMPORAL_* variables of rolecall serve")
	}
	found = append(found, e.Events.faults()...)
	if !e.Temporal.Reachable {
		if !e.Service.Ready {
			add("Temporal cannot be reached: "+e.Temporal.Problem, "start it (make dev does), or set TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE")
		}
		return append(found, clockFaults(e, clockWrong, 0)...)
	}
	if e.Temporal.Problem != "" {
		add("Temporal could not be looked at as a whole: "+e.Temporal.Problem,
			"try again; if it stays so, set TEMPORAL_NAMESPACE and credentials that may describe the namespace, its task queues and its deployments")
	}
	if e.Control != nil && len(e.Control.Pollers) == 0 {
		add("no control worker: tasks are accepted and nothing happens", "start one with: rolecall serve --control")
	}
	found = append(found, versionFaults(e.Versions)...)
	found = append(found, clockFaults(e, clockWrong, 0)...)
	found = append(found, agentFaults(e)...)
	for _, q := range e.Roles {
		start := fmt.Sprintf("start an agent with: PROJECT_ID=%s rolecall worker --role %s --agent command -- <program>", e.Project, q.Role)
		switch {
		case len(q.Pollers) > 0:
		case q.Waiting > 0:
			add(fmt.Sprintf("role %s has %d waiting and nobody works for it", q.Role, q.Waiting), start)
		case e.RolesNamed:
			add(fmt.Sprintf("nobody works for role %s", q.Role), start)
		}
	}
	return found
}

// remarks are what is worth knowing and is no fault.
func remarks(e examination) []finding {
	found := append([]finding{}, clockFaults(e, clockWarns, clockWrong)...)
	found = append(found, versionRemarks(e.Versions)...)
	found = append(found, agentRemarks(e)...)
	if e.ProjectGuessed && len(e.Roles) > 0 {
		found = append(found, finding{
			"the roles looked at are those of project " + e.Project + ", which need not be the key's", "set PROJECT_ID to the project of the key in EVENTS_API_KEY",
		})
	}
	if e.Temporal.Fairness == fairnessOff {
		found = append(found, finding{
			"fairness is switched off in Temporal: fairnessKey changes nothing, and one caller's many tasks hold up another's few",
			"where several callers share it, set matching.enableFairness to true in Temporal's dynamic configuration",
		})
	}
	return found
}

// worst is the exit code.
func worst(e examination, findings []finding) int {
	switch {
	case !e.Service.Ready:
		return exitUnreachable
	case len(findings) > 0:
		return exitFailed
	default:
		return exitDone
	}
}

// examinationText is what was seen and what to do, for people.
func examinationText(e examination, findings []finding) string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) } // a strings.Builder takes everything
	row("API", e.Service.URL, yes(e.Service.Ready, "ready", yes(e.Service.Reachable, "not ready", "cannot be reached")))
	temporal := yes(e.Temporal.Reachable, "reachable", "cannot be reached from here")
	if e.Temporal.RetentionMs > 0 {
		temporal += ", keeps finished tasks and idempotency keys for " + days(e.Temporal.RetentionMs)
	}
	row("Temporal", e.Temporal.Address+" "+e.Temporal.Namespace, temporal)
	if e.Temporal.Fairness != "" {
		row("fairness", "", fairnessText(e.Temporal.Fairness))
	}
	if e.Events != nil {
		row("event log", e.Events.URL, e.Events.text())
	}
	if e.Service.Reachable || e.Temporal.Reachable {
		row("clocks", "", clockText(e))
	}
	if e.Control != nil {
		row("control worker", e.Control.Queue, pollersText(*e.Control))
	}
	if len(e.Agents) > 0 {
		row("agents", "", agentsText(e.Agents))
	}
	for _, q := range e.Roles {
		row(string(q.Role), q.Queue, pollersText(q))
	}
	_ = table.Flush()
	switch {
	case len(findings) > 0:
	case e.Temporal.Reachable:
		b.WriteString("\nAll is well.\n")
	default:
		b.WriteString("\nThe API takes tasks. Who works on them could not be looked at: that takes TEMPORAL_* variables that lead to its Temporal.\n")
	}
	if idle := idleRoles(e.Roles); len(idle) > 0 && len(findings) == 0 {
		fmt.Fprintf(&b, "Nobody works for %s: tasks for them would wait. Start an agent with: rolecall worker --role <role> --agent command -- <program>\n", strings.Join(idle, ", "))
	}
	for _, f := range findings {
		fmt.Fprintf(&b, "\n✗ %s\n  %s\n", printable(f.Problem, false), printable(f.Advice, false))
	}
	for _, f := range remarks(e) {
		fmt.Fprintf(&b, "\n· %s\n  %s\n", printable(f.Problem, false), printable(f.Advice, false))
	}
	return b.String()
}

// idleRoles are the roles that nobody works for.
func idleRoles(queues []queueSeen) []string {
	var names []string
	for _, q := range queues {
		if len(q.Pollers) == 0 {
			names = append(names, string(q.Role))
		}
	}
	return names
}

func yes(ok bool, then, otherwise string) string {
	if ok {
		return then
	}
	return otherwise
}

func days(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d == 24*time.Hour:
		return "1 day"
	case d > 24*time.Hour:
		return fmt.Sprintf("%.4g days", d.Hours()/24)
	default:
		return d.String()
	}
}

func pollersText(q queueSeen) string {
	text := "nobody listens"
	if n := len(q.Pollers); n > 0 {
		text = fmt.Sprintf("%d listening: %s, seen %s ago", n, printable(q.Pollers[0].Identity, false), span(time.Duration(q.Pollers[0].SeenMsAgo)*time.Millisecond))
	}
	if q.Waiting > 0 {
		text += fmt.Sprintf("; %d waiting, the oldest for %s", q.Waiting, span(time.Duration(q.OldestMs)*time.Millisecond))
	}
	return text
}
