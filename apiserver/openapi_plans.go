package apiserver

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

// examplePlan is a plan as it is sent, for who reads the document.
const examplePlan = `{"title":"Write a parser, reviewed","inputs":{"language":"Go"},` +
	`"steps":[{"id":"write","type":"code.write","title":"Write the parser","input":{"language":"${{ inputs.language }}"}},` +
	`{"id":"review","type":"code.review","title":"Review the parser","needs":["write"],"input":{"code":"${{ steps.write.output }}"},"gate":{"rework":"write","maxReworks":1}}],` +
	`"outputs":{"parser":"${{ steps.write.output }}"}}`

// describePlans says what the routes of plans take and what their handlers check.
func describePlans(schemas huma.Registry, paths map[string]*huma.PathItem) {
	all, one := paths["/v1/plans"], paths["/v1/plans/{id}"]
	bodyOf[sdk.PlanRequest](schemas, all.Post, true)
	all.Post.RequestBody.Content["application/json"].Example = json.RawMessage(examplePlan)
	cancel := paths["/v1/plans/{id}/cancel"].Post
	bodyOf[cancelRequest](schemas, cancel, false)
	alsoOK(all.Post, "The same plan as before: the Idempotency-Key was used already.")
	alsoOK(cancel, "The plan had ended; nothing is changed.")
	describeWait(one.Get.Parameters)
	describeFilter(all.Get.Parameters)
	for _, p := range all.Get.Parameters {
		if p.Name == "status" {
			p.Schema = &huma.Schema{Type: huma.TypeString, Enum: []any{
				sdk.StatusOpen, sdk.StatusQueued, sdk.StatusRunning, sdk.StatusCompleted, sdk.StatusFailed, sdk.StatusCancelled,
			}}
		}
	}
	stream := paths["/v1/plans/{id}/events"].Get
	stream.Responses["200"].Description = aboutStreams + " The events are those of the plan, plan.created first, and those of its tasks. It ends after plan.completed, plan.failed or plan.cancelled."
	stream.Responses["200"].Content = map[string]*huma.MediaType{contentTypeSSE: {
		Schema: &huma.Schema{Type: huma.TypeString, Extensions: map[string]any{"x-data": schemas.Schema(reflect.TypeFor[sdk.Event](), true, "")}},
	}}
	stream.Responses["204"] = &huma.Response{Description: "With Last-Event-ID: the plan has ended, and nothing follows that was not read."}
}
