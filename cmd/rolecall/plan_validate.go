package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// planCheck is what plan validate prints with --json.
type planCheck struct {
	Valid bool   `json:"valid"`
	Title string `json:"title"`
	Steps int    `json:"steps"`
}

func planValidateCommand(c *console) *cobra.Command {
	var in planInputs
	cmd := &cobra.Command{
		Use:   "validate <file | ->",
		Short: "Check the plan in a file, without a service",
		Long: `Check the plan in a file of YAML or JSON, or on standard input, as the service does before it starts one, and without a service. Every
fault is told at once, with its JSON path and its line and column. Inputs that plan run would be given are given here too.

The exit code is 0 for a plan that can be run, and 2 for any other.`,
		Example: `  rolecall plan validate plan.yaml
  rolecall plan validate review.yaml --input branch=main --json`,
		Args: arguments("file of a plan"),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := planIn(args[0], in, c)
			if err != nil {
				return err
			}
			if err := workflows.CheckPlan(file.Request); err != nil {
				return file.Explain(err)
			}
			if c.json {
				return c.printJSON(planCheck{true, file.Request.Title, len(file.Request.Steps)})
			}
			return c.printf("%s can be run: %s\n", printable(args[0], false), planShort(file.Request))
		},
	}
	in.flags(cmd)
	return cmd
}

// planShort is a plan that has not begun, in a few words.
func planShort(r sdk.PlanRequest) string {
	title := printable(r.Title, false)
	if len(r.Steps) == 0 {
		return title + ", whose steps a coordinator is asked for"
	}
	return fmt.Sprintf("%s, %s", title, countedSteps(len(r.Steps)))
}

func countedSteps(n int) string {
	if n == 1 {
		return "1 step"
	}
	return fmt.Sprintf("%d steps", n)
}
