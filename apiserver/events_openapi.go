package apiserver

import (
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

// aboutStreams is said of every stream.
const aboutStreams = "A stream of server-sent events: id is the event's sequence, event its type, data the event as a CloudEvent on one line. " +
	"A comment comes every 15 s, and with it, as an id without data, how far the log was read. An event without an id was not kept. The server may end it with a last event: resume, whose data " +
	"{after, reason} says where to go on; or gone, which can not go on and whose data is a problem document."

// describeEvents says of the routes of events what huma does not read off their handlers.
func describeEvents(schemas huma.Registry, paths map[string]*huma.PathItem) {
	publish := paths["/v1/events"].Post
	bodyOf[sdk.EventRequest](schemas, publish, true)
	one, most, least := publish.RequestBody.Content["application/json"].Schema, sdk.MaxEventBatch, 1
	publish.RequestBody.Content["application/json"].Schema = &huma.Schema{OneOf: []*huma.Schema{
		one, {Type: huma.TypeArray, Items: one, MinItems: &least, MaxItems: &most},
	}}
	publish.RequestBody.Content[contentTypeCloudEvent] = &huma.MediaType{Schema: &huma.Schema{
		Type: huma.TypeObject, Description: "One CloudEvent 1.0 in structured mode; its source is kept as originsource.",
	}}
	alsoOK(publish, "The same events as before: the Idempotency-Key was used already.")
	bodyOf[sdk.TaskOutput](schemas, paths["/v1/tasks/{id}/output"].Post, true)
	for path, about := range map[string]string{
		"/v1/events/stream":     aboutStreams,
		"/v1/tasks/{id}/events": aboutStreams + " It ends after the task's terminal event. An event named output is live output ({stage, attempt, frames}), and was not kept.",
	} {
		answer := paths[path].Get.Responses["200"]
		answer.Description = about
		answer.Content = map[string]*huma.MediaType{contentTypeSSE: {Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	paths["/v1/tasks/{id}/events"].Get.Responses["204"] = &huma.Response{
		Description: "With Last-Event-ID: the task has ended, and nothing follows that was not read.",
	}
	low, high := 1.0, float64(sdk.MaxPage)
	for _, op := range []*huma.Operation{paths["/v1/events"].Get, paths["/v1/events/stream"].Get} {
		for _, p := range op.Parameters {
			switch p.Name {
			case "limit":
				p.Schema = &huma.Schema{Type: huma.TypeInteger, Minimum: &low, Maximum: &high, Default: sdk.DefaultPage}
			case "since", "until":
				p.Schema = &huma.Schema{Type: huma.TypeString, Format: "date-time"}
			case "after", "cursor":
				p.Schema = &huma.Schema{Type: huma.TypeString, Pattern: `^[0-9]{1,20}$`}
			case "types":
				p.Description += " At most " + strconv.Itoa(sdk.MaxEventPatterns) + "."
			}
		}
	}
	if s := schemas.SchemaFromRef(schemas.Schema(reflect.TypeFor[sdk.TaskOutput](), true, "").Ref); s != nil {
		most := sdk.MaxOutputFrames
		s.Properties["frames"].MinItems, s.Properties["frames"].MaxItems = &least, &most
	}
}
