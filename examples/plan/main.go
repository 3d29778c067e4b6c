// Command plan has a change written, then reviewed and tested at once, sent back where the review says so, and documented in the end. All of that
// is one plan: it goes on by itself, whatever becomes of this program, which only prints what the steps do. It needs nothing but the SDK and
// the address of the service.
//
//	EVENTS_SERVICE_URL=http://127.0.0.1:3009 plan --dir ./workspace
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/rolecall-dev/rolecall/sdk"
)

func main() {
	dir := flag.String("dir", ".", "the folder the agents work in")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "plan:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := sdk.FromEnv()
	if err != nil {
		return err
	}
	return carryOut(ctx, client, say, dir)
}

// say prints a line.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// carryOut hands the plan out, and says how it goes and ends.
func carryOut(ctx context.Context, client *sdk.Client, say func(format string, args ...any), dir string) error {
	wanted, err := request(dir)
	if err != nil {
		return err
	}
	plan, err := client.CreatePlan(ctx, wanted)
	if err != nil {
		return err
	}
	say("\nplan %s · %s", plan.ID, plan.Title)
	if plan.Links.UI != "" {
		say("  %s", plan.Links.UI)
	}
	if err := follow(ctx, client, say, plan.ID); err != nil {
		return err
	}
	if plan, err = client.WaitForPlan(ctx, plan.ID); err != nil {
		return err
	}
	show(say, plan)
	return plan.Err()
}

// request is the plan for a folder.
func request(dir string) (sdk.PlanRequest, error) {
	folder, err := json.Marshal(dir)
	if err != nil {
		return sdk.PlanRequest{}, err
	}
	const title = "Mend Total: count every piece, and stop at zero"
	work := json.RawMessage(`{"dir": "${{ inputs.dir }}"}`)
	return sdk.PlanRequest{
		Title:  title,
		Inputs: map[string]json.RawMessage{"dir": folder},
		Steps: []sdk.PlanStep{
			{ID: "write", Type: sdk.TypeCodeWrite, Title: title, Input: work, Priority: sdk.PriorityHigh},
			{
				ID: "review", Type: sdk.TypeCodeReview, Title: "Review the change", Needs: []string{"write"}, Input: work,
				Gate: &sdk.Gate{Rework: "write"}, // at most twice
			},
			{ID: "test", Type: sdk.TypeCodeTest, Title: "Test the change", Needs: []string{"write"}, Input: work},
			{
				ID: "document", Type: sdk.TypeCodeDocument, Title: "Document what there is now", Needs: []string{"review", "test"},
				When:  "steps.test.output.ok",
				Input: json.RawMessage(`{"dir": "${{ inputs.dir }}", "notes": "Reviewed: ${{ steps.review.output.summary }}"}`),
			},
		},
		Outputs: map[string]json.RawMessage{
			"review": json.RawMessage(`"${{ steps.review.output.summary }}"`),
			"tests":  json.RawMessage(`"${{ steps.test.output.passed }}"`),
			"page":   json.RawMessage(`"${{ steps.document.output.file }}"`),
		},
	}, nil
}
