package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/log"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
)

// doctorTimeout bounds the whole examination.
const doctorTimeout = 30 * time.Second

func doctorCommand(c *console) *cobra.Command {
	var roles []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what is reachable, which roles have nobody listening, and what to do",
		Long: `Look at the API, at Temporal, at who runs workflows and at who works for each role, and say what to do.

Exit codes: 0 all is well, 1 there is something to do, 3 the API can not be reached or can not take tasks.
Temporal is asked as well, with the TEMPORAL_* variables; where only the API can be reached that is said and is no fault.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted, err := rolesToExamine(roles)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), doctorTimeout)
			defer cancel()
			seen, err := examine(ctx, wanted)
			if err != nil {
				return err
			}
			seen.RolesNamed = len(roles) > 0
			return c.report(seen)
		},
	}
	cmd.Flags().StringSliceVar(&roles, "role", nil, "roles to look at, comma-separated (default the ten built-in ones)")
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

// examine looks at everything; what cannot be reached is part of what it has seen.
func examine(ctx context.Context, roles []sdk.Role) (examination, error) {
	client, err := connect()
	if err != nil {
		return examination{}, err
	}
	seen := examination{Service: serviceSeen{URL: client.Config().URL}}
	asked, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	seen.Service.take(client.Ready(asked))
	opts, err := workers.TemporalFromEnv()
	if err != nil {
		return seen, usagef("%w", err)
	}
	opts.Logger = log.NewStructuredLogger(silent())
	project := client.Config().ProjectID
	if project == "" {
		project = workers.DefaultProject
	}
	seen.Project = project
	seen.Temporal = temporalSeen{Address: opts.HostPort, Namespace: opts.Namespace}
	err = seen.lookAtTemporal(ctx, opts, roles)
	if ctx.Err() != nil {
		return seen, ctx.Err()
	}
	if err != nil {
		seen.Temporal.Problem = err.Error()
	}
	return seen, nil
}

// report prints what was seen and what to do, and answers the exit code.
func (c *console) report(seen examination) error {
	findings := diagnose(seen)
	if c.json {
		out := struct {
			examination
			Findings []finding `json:"findings"`
		}{seen, findings}
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
