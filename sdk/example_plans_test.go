package sdk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// examplePlans stands in for a running service: it completes the plan that it is given.
func examplePlans() *httptest.Server {
	plan := sdk.Plan{
		ID: "pl1", Title: "Write a parser, reviewed", Status: sdk.StatusCompleted,
		Steps: []sdk.Step{
			{ID: "write", Type: sdk.TypeCodeWrite, Role: sdk.RoleCoder, Status: sdk.StepCompleted, Reworks: 1},
			{ID: "review", Type: sdk.TypeCodeReview, Role: sdk.RoleReviewer, Needs: []string{"write"}, Status: sdk.StepCompleted},
		},
		Outputs: map[string]json.RawMessage{"parser": json.RawMessage(`{"files":3}`)},
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(plan); err != nil {
			log.Print(err)
		}
	}))
}

// A plan is several tasks: needs says which comes after which, expressions carry results on, and a gate sends work back.
func ExampleClient_CreatePlan() {
	service := examplePlans()
	defer service.Close()
	client, err := sdk.NewClient(sdk.Config{URL: service.URL}) // or sdk.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	plan, err := client.CreatePlan(ctx, sdk.PlanRequest{
		Title:  "Write a parser, reviewed",
		Inputs: map[string]json.RawMessage{"language": json.RawMessage(`"Go"`)},
		Steps: []sdk.PlanStep{
			{ID: "write", Type: sdk.TypeCodeWrite, Title: "Write the parser", Input: json.RawMessage(`{"language":"${{ inputs.language }}"}`)},
			{
				ID: "review", Type: sdk.TypeCodeReview, Title: "Review the parser", Needs: []string{"write"},
				Input: json.RawMessage(`{"code":"${{ steps.write.output }}"}`),
				Gate:  &sdk.Gate{Rework: "write"}, // up to twice
			},
		},
		Outputs: map[string]json.RawMessage{"parser": json.RawMessage(`"${{ steps.write.output }}"`)},
	})
	if err != nil {
		log.Fatal(err)
	}
	done, err := client.WaitForPlan(ctx, plan.ID)
	if err != nil {
		log.Fatal(err) // nobody answered within the hour
	}
	if err := done.Err(); err != nil {
		log.Fatal(err) // a step failed, or the plan was cancelled
	}
	fmt.Printf("%s %s, sent back %d time(s)\n", done.Status, done.Outputs["parser"], done.Step("write").Reworks)
	// Output: completed {"files":3}, sent back 1 time(s)
}

// What happens in a plan is followed from its first event to its last, over cuts and restarts of the service.
func ExampleClient_PlanEvents() {
	client, err := sdk.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range client.PlanEvents(context.Background(), "pl1") {
		if err != nil {
			log.Fatal(err)
		}
		var step sdk.PlanStepped
		if e.Type == sdk.EventPlanStep && json.Unmarshal(e.Data, &step) == nil {
			fmt.Println(step.Step, "is", step.To)
		}
	}
}
