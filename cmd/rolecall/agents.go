package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

// agentsFlags choose the agents that are shown.
type agentsFlags struct {
	role, capability, status string
	watch                    bool
}

func agentsCommand(c *console) *cobra.Command {
	f := &agentsFlags{}
	cmd := &cobra.Command{
		Use:   "agents",
		Short: "Show the registered agents: what each is doing, and whether it asks for work",
		Long: `Show the registered agents: what each is doing as it says itself, and whether it is seen asking for work. One that neither does nor has
all its slots taken gets no task. An agent is offline once it has missed three heartbeats, and is forgotten after a week.

With --watch the table is drawn anew on a terminal, until Ctrl-C; elsewhere it is printed again when something has changed, with --json as
one line each time.`,
		Example: `  rolecall agents --watch
  rolecall agents --role coder --status idle --json`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, c) },
	}
	s := cmd.Flags()
	s.StringVar(&f.role, "role", "", "those of this role")
	s.StringVar(&f.capability, "capability", "", "those that have this capability")
	s.StringVar(&f.status, "status", "", "idle, busy or offline")
	watchFlag(cmd, &f.watch)
	return cmd
}

func (f *agentsFlags) run(cmd *cobra.Command, c *console) error {
	client, err := connect()
	if err != nil {
		return err
	}
	filter := sdk.AgentFilter{Role: sdk.Role(f.role), Capability: f.capability, Status: sdk.AgentStatus(f.status), Limit: sdk.MaxPage}
	look := func(ctx context.Context) (view, error) {
		list := sdk.AgentPage{Items: []sdk.Agent{}}
		for a, err := range client.Agents(ctx, filter) {
			if err != nil {
				return view{}, flagFaults(err)
			}
			list.Items = append(list.Items, *a)
		}
		return agentsView(list, time.Now()), nil
	}
	return c.lookAt(cmd.Context(), client, f.watch, look)
}

// agentsView is a list of agents as it is shown.
func agentsView(list sdk.AgentPage, now time.Time) view {
	v := view{value: list, none: "No agent is registered that fits."}
	v.head = []string{"ID", "NAME", "ROLE", "STATUS", "ASKS", "SLOTS", "TASKS", "SEEN"}
	for _, a := range list.Items {
		tasks := "-"
		if n := len(a.CurrentTasks); n > 0 {
			tasks = a.CurrentTasks[0]
			if n > 1 {
				tasks += " and " + strconv.Itoa(n-1) + " more"
			}
		}
		v.rows = append(v.rows, []string{a.ID, a.Name, string(a.Role), string(a.Status), asksText(a), strconv.Itoa(a.Slots), tasks})
		v.ages = append(v.ages, span(now.Sub(a.LastSeenAt).Truncate(time.Second))+" ago")
	}
	return v
}

// asksText says whether an agent asks for work.
func asksText(a sdk.Agent) string {
	switch {
	case a.Status == sdk.AgentOffline:
		return "-"
	case a.Polling:
		return "yes"
	case len(a.CurrentTasks) >= a.Slots:
		return "full"
	default:
		return "no"
	}
}

func rolesCommand(c *console) *cobra.Command {
	watch := false
	cmd := &cobra.Command{
		Use:   "roles",
		Short: "Show the roles: who is there, who asks for work, what waits",
		Long: `Show the built-in roles and those that agents are registered for: the registered agents by status, who is seen asking for work,
registered or not, how many tasks wait, and for how long the oldest has.

With --watch the table is drawn anew on a terminal, until Ctrl-C; elsewhere it is printed again when something has changed, with --json as
one line each time.`,
		Example: `  rolecall roles --watch`,
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := connect()
			if err != nil {
				return err
			}
			return c.lookAt(cmd.Context(), client, watch, func(ctx context.Context) (view, error) {
				roles, err := client.Roles(ctx)
				return rolesView(sdk.RoleList{Items: roles}), err
			})
		},
	}
	watchFlag(cmd, &watch)
	return cmd
}

// rolesView is a list of roles as it is shown.
func rolesView(list sdk.RoleList) view {
	v := view{value: list, head: []string{"ROLE", "IDLE", "BUSY", "OFFLINE", "ASKING", "WAITING", "OLDEST", ""}}
	for _, r := range list.Items {
		asking, waiting, note := strconv.Itoa(len(r.Pollers)), strconv.FormatInt(r.Waiting, 10), ""
		switch {
		case r.Unknown:
			asking, waiting, note = "?", "?", "its queue could not be looked at"
		case r.Waiting > 0 && len(r.Pollers) == 0 && r.Agents.Busy == 0:
			note = "nobody answers"
		}
		age := "-"
		if r.Waiting > 0 {
			age = span((time.Duration(r.OldestMs) * time.Millisecond).Truncate(time.Second))
		}
		v.rows = append(v.rows, []string{
			string(r.Role), strconv.Itoa(r.Agents.Idle), strconv.Itoa(r.Agents.Busy), strconv.Itoa(r.Agents.Offline), asking, waiting,
		})
		v.ages = append(v.ages, strings.TrimSpace(age+"\t"+note))
	}
	return v
}
