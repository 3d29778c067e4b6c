package apiserver

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

// describeSessions says what the routes of sessions take and what their handlers check.
func describeSessions(schemas huma.Registry, paths map[string]*huma.PathItem) {
	all, tasks := paths["/v1/sessions"], paths["/v1/sessions/{id}/tasks"]
	bodyOf[sdk.SessionConfig](schemas, all.Post, false)
	bodyOf[sdk.SessionTaskRequest](schemas, tasks.Post, true)
	alsoOK(all.Post, "The same session as before: the Idempotency-Key was used already.")
	alsoOK(tasks.Post, "The same task as before: the Idempotency-Key was used already.")
	describeFilter(all.Get.Parameters)
	for _, p := range all.Get.Parameters {
		if p.Name == "status" {
			p.Schema = &huma.Schema{Type: huma.TypeString, Enum: []any{sdk.SessionOpen, sdk.SessionClosing, sdk.SessionClosed}}
		}
	}
	event := schemas.Schema(reflect.TypeFor[sdk.SessionEvent](), true, "")
	types := []any{
		sdk.SessionStartEvent, sdk.TaskStartEvent, sdk.TaskProgressEvent, sdk.TaskCompleteEvent, sdk.TaskErrorEvent, sdk.SessionCloseEvent,
	}
	schemas.SchemaFromRef(event.Ref).Properties["type"].Enum = types
	stream := paths["/v1/sessions/{id}/events"].Get
	stream.Responses["200"].Description = "A stream of server-sent events: id is a position in the project's log, to go on after; event is the type, data a SessionEvent on one line. " +
		"A comment comes every 15 s, and with it, as an id without data, how far the log was read. It ends after session_close. The server may end it with a last event: resume, " +
		"whose data {after, reason} says where to go on; or gone, which can not go on and whose data is a problem document."
	stream.Responses["200"].Content = map[string]*huma.MediaType{contentTypeSSE: {
		Schema: &huma.Schema{Type: huma.TypeString, Extensions: map[string]any{"x-data": event}},
	}}
	stream.Responses["204"] = &huma.Response{Description: "With Last-Event-ID: the session has closed, and nothing follows that was not read."}
}
