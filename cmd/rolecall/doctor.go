package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
)

// doctorTimeout bounds the whole examination.
const doctorTimeout = 30 * time.Second

// noTask is the id of no task: asking for it shows what the service makes of the key and the project, and nothing else.
const noTask = "rolecall-doctor"

func doctorCommand(c *console) *cobra.Command {
	var roles []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what is reachable, which roles have nobody listening, and what to do",
		Long: `Look at the API, at Temporal, at the event log, at who runs workflows and at who works for each role, and say what to do: queues with nobody
listening, versions that get new tasks or drain and do not listen, clocks that are two seconds off or more. Beside that it says how long
finished tasks are kept, whether fairness is on, which versions wait to be promoted or drain, and what else is worth knowing.

Exit codes: 0 all is well, 1 there is something to do, 3 the API can not be reached or can not take tasks.
The event log is looked at where ROLECALL_NATS_URL says, and otherwise is what the API says of its own.
Temporal is asked as well, with the TEMPORAL_* variables; where only the API can be reached that is said and is no fault. Where
Temporal answers and does not let everything be looked at, that is something to do.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted, err := rolesToExamine(roles)
			if err != nil {
				return err
			}
			seen, err := examine(cmd.Context(), wanted, len(roles) > 0)
			if err != nil {
				return err
			}
			return c.report(seen)
		},
	}
	cmd.Flags().StringSliceVar(&roles, "role", nil, "roles to look at, comma-separated (default the ten built-in ones, and the others that the API has tasks or agents for)")
	return cmd
}

func rolesToExamine(names []string) ([]sdk.Role, error) {
	var roles []sdk.Role
	for _, n := range names {
		r := sdk.Role(strings.TrimSpace(n))
		if !r.Valid() {
			return nil, usagef("--role: %q is no role", n)
		}
		roles = append(roles, r)
	}
	if len(roles) == 0 {
		for _, r := range sdk.BuiltinRoles() {
			roles = append(roles, r.Role)
		}
	}
	return roles, nil
}

// examine looks at everything, named says that the roles were asked for by name; what cannot be reached, or not in time, is part of what it has seen. Its error is that the
// environment is wrong or that ctx ended.
func examine(ctx context.Context, roles []sdk.Role, named bool) (examination, error) {
	service, err := connect()
	if err != nil {
		return examination{}, err
	}
	seen := examination{Service: serviceSeen{URL: service.Config().URL}, RolesNamed: named}
	opts, err := workers.TemporalFromEnv()
	if err != nil {
		return seen, usagef("%w", err)
	}
	opts.Logger = log.NewStructuredLogger(silent())
	events, err := eventsConfig()
	if err != nil {
		return seen, err
	}
	project := service.Config().ProjectID
	if project == "" {
		project = workers.DefaultProject
		seen.ProjectGuessed = service.Config().APIKey != ""
	}
	seen.Project = project
	seen.Temporal = temporalSeen{Address: opts.HostPort, Namespace: opts.Namespace}
	bounded, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	seen.look(bounded, service, opts, roles)
	seen.Events = lookAtEvents(bounded, events, service.Config().URL)
	return seen, ctx.Err()
}

// look looks at the API and at Temporal for as long as ctx lasts, and keeps what it has seen by then.
func (e *examination) look(ctx context.Context, service *sdk.Client, opts client.Options, roles []sdk.Role) {
	asked, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	e.Service.take(service.Ready(asked))
	if e.Service.Reachable {
		e.Service.Clock = serviceClock(asked, e.Service.URL)
	}
	if e.Service.Ready {
		_, err := service.GetTask(asked, noTask)
		e.Service.takeKey(err)
		if e.Service.Key == "" {
			e.lookAtAgents(asked, service)
			if !e.RolesNamed {
				roles = withOtherRoles(asked, service, roles)
			}
		}
	}
	err := e.lookAtTemporal(ctx, opts, roles)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		e.Temporal.Problem = "there was no time left to look at everything: " + err.Error()
	default:
		e.Temporal.Problem = err.Error()
	}
}

// report prints what was seen and what to do, and answers the exit code.
func (c *console) report(seen examination) error {
	findings := diagnose(seen)
	if c.json {
		out := struct {
			examination
			Findings []finding `json:"findings"`
			Remarks  []finding `json:"remarks"`
		}{seen, findings, remarks(seen)}
		if err := c.printJSON(out); err != nil {
			return err
		}
	} else if err := c.printf("%s", examinationText(seen, findings)); err != nil {
		return err
	}
	if code := worst(seen, findings); code != exitDone {
		return &exitError{code: code}
	}
	return nil
}
