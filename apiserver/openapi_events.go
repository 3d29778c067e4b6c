package apiserver

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

// describeSubscriptions says what the subscription routes take and what their handlers check.
func describeSubscriptions(schemas huma.Registry, paths map[string]*huma.PathItem) {
	one := paths["/v1/subscriptions/{name}"]
	bodyOf[sdk.SubscriptionRequest](schemas, one.Put, false)
	alsoOK(one.Put, "The subscription was there and is changed.")
	bodyOf[sdk.PullRequest](schemas, paths["/v1/subscriptions/{name}/pull"].Post, false)
	for _, verb := range []string{"ack", "nack", "extend"} {
		bodyOf[sdk.AckRequest](schemas, paths["/v1/subscriptions/{name}/"+verb].Post, true)
	}
	describeFilter(paths["/v1/errors"].Get.Parameters)
}

// describeAgents says what the routes of agents take and what their handlers check.
func describeAgents(schemas huma.Registry, paths map[string]*huma.PathItem) {
	all := paths["/v1/agents"]
	bodyOf[sdk.AgentRequest](schemas, all.Post, true)
	bodyOf[sdk.AgentHeartbeat](schemas, paths["/v1/agents/{id}/heartbeat"].Post, false)
	describeFilter(all.Get.Parameters)
	for _, p := range all.Get.Parameters {
		if p.Name == "status" {
			p.Schema = &huma.Schema{Type: huma.TypeString, Enum: []any{sdk.AgentIdle, sdk.AgentBusy, sdk.AgentOffline}}
		}
	}
}

// eventDataSchema is the name of the schema that says what the data of each type of event is.
const eventDataSchema = "EventData"

// describeEventData enters the data of every type that rolecall writes, as the fields of one schema.
func describeEventData(schemas huma.Registry) {
	data := &huma.Schema{
		Type: huma.TypeObject, Properties: map[string]*huma.Schema{},
		Description: "What data holds in an event, by the event's type. It is no object that is ever sent: each field stands for the type that it is named for. " +
			"The data of other types is what their publisher sent.",
	}
	for t, kind := range eventData() {
		data.Properties[string(t)] = schemas.Schema(kind, true, "")
	}
	schemas.Map()[eventDataSchema] = data
	event := schemas.SchemaFromRef(schemas.Schema(reflect.TypeFor[sdk.Event](), true, "").Ref)
	event.Properties["data"].Description = "Any JSON. " + eventDataSchema + " says what it is for the types that rolecall writes."
	event.Extensions = map[string]any{"x-data-by-type": &huma.Schema{Ref: schemaPrefix + eventDataSchema}} // else it is left out as unused
}

// eventData are the types of event that have data of a known shape.
func eventData() map[sdk.EventType]reflect.Type {
	ended, code, over := reflect.TypeFor[sdk.TaskEnded](), reflect.TypeFor[sdk.CodeDone](), reflect.TypeFor[sdk.PlanEnded]()
	return map[sdk.EventType]reflect.Type{
		sdk.EventTaskCreated: reflect.TypeFor[sdk.TaskCreated](), sdk.EventTaskAssigned: reflect.TypeFor[sdk.TaskAssigned](),
		sdk.EventTaskStarted: reflect.TypeFor[sdk.TaskStarted](), sdk.EventTaskProgress: reflect.TypeFor[sdk.TaskProgressed](),
		sdk.EventAIDelegation:      reflect.TypeFor[sdk.TaskDelegated](),
		sdk.EventTaskInputRequired: reflect.TypeFor[sdk.TaskInputRequired](), sdk.EventTaskRetrying: reflect.TypeFor[sdk.TaskRetrying](),
		sdk.EventTaskFallback: reflect.TypeFor[sdk.TaskFellBack](), sdk.EventTaskCompleted: ended, sdk.EventTaskFailed: ended, sdk.EventTaskCancelled: ended,
		sdk.EventAgentRegistered: reflect.TypeFor[sdk.AgentRegistered](), sdk.EventAgentStatusChanged: reflect.TypeFor[sdk.AgentStatusChanged](),
		sdk.EventAgentHeartbeat: reflect.TypeFor[sdk.AgentSeen](),
		sdk.EventSessionStarted: reflect.TypeFor[sdk.SessionStarted](), sdk.EventSessionClosed: reflect.TypeFor[sdk.SessionEnded](),
		sdk.EventPlanCreated: reflect.TypeFor[sdk.PlanCreated](), sdk.EventPlanStarted: reflect.TypeFor[sdk.PlanStarted](),
		sdk.EventPlanStep: reflect.TypeFor[sdk.PlanStepped](), sdk.EventPlanCompleted: over, sdk.EventPlanFailed: over, sdk.EventPlanCancelled: over,
		sdk.EventCodeGenerated: code, sdk.EventCodeReviewed: code, sdk.EventCodeTested: code, sdk.EventCodeDeployed: code,
	}
}
