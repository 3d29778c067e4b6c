package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	schemaPrefix = "#/components/schemas/"
	securityKey  = "key" // the name of the security scheme
)

// apiConfig describes the API. Its documents are served by routes of ours: huma's own page loads its code from elsewhere.
func apiConfig() huma.Config {
	schemas := huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[json.RawMessage](), reflect.TypeFor[any]())
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "rolecall", Version: "1",
				Description: "Delegate typed tasks to roles. Every refusal is a problem document (RFC 9457) whose code is stable; " +
					"its instance is the request's id, which is in X-Request-Id and in the server's log.",
			},
			Components: &huma.Components{Schemas: schemas},
			Tags: []*huma.Tag{
				{Name: "tasks", Description: "One task is one piece of work, done by an agent of its role."},
				{Name: "sessions", Description: "A session is a conversation: tasks that are done one after the other, and a stream of what happens."},
				{Name: "plans", Description: "A plan is a piece of work of several tasks: its steps, which come after one another as they need each other's results."},
				{Name: "agents", Description: "Who is there, what is seen of the roles, and working over HTTP: an agent claims a task of its role, keeps the lease by reporting, and ends it."},
				{Name: "events", Description: "The log of a project: what happened to its tasks, and what callers published."},
			},
		},
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
	}
}

func operation(method, path, id, summary string, status int) huma.Operation {
	tag := "events"
	switch {
	case strings.HasPrefix(path, "/v1/tasks"):
		tag = "tasks"
	case strings.HasPrefix(path, "/v1/sessions"), strings.HasPrefix(path, "/v1/clients"):
		tag = "sessions"
	case strings.HasPrefix(path, "/v1/plans"):
		tag = "plans"
	case strings.HasPrefix(path, "/v1/agents"), strings.HasPrefix(path, "/v1/roles"), strings.HasPrefix(path, "/v1/leases"):
		tag = "agents"
	}
	return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{tag}, DefaultStatus: status}
}

// document finishes the OpenAPI document with what huma does not read off the handlers, and answers it with its page.
func document(api *huma.OpenAPI) (spec, page []byte, err error) {
	schemas := api.Components.Schemas
	failure := &huma.Response{
		Description: "Refused or failed; code says how.",
		Headers:     map[string]*huma.Param{"X-Request-Id": {Schema: &huma.Schema{Type: huma.TypeString}, Description: "The request's id."}},
		Content:     map[string]*huma.MediaType{sdk.ProblemContentType: {Schema: schemas.Schema(reflect.TypeFor[sdk.Problem](), true, "")}},
	}
	api.Components.SecuritySchemes = map[string]*huma.SecurityScheme{securityKey: {
		Type: "http", Scheme: "bearer", Description: "An API key, where the server has keys, or the key of an attempt. An operation names the scope that the key needs.",
	}}
	for path, item := range api.Paths {
		for _, op := range operationsOf(item) {
			scope, known := scopeOf(routeOf(op.Method, path))
			if !known {
				return nil, nil, fmt.Errorf("%s %s has no scope: give it one in scopeOf", op.Method, path)
			}
			op.Security = []map[string][]string{{securityKey: {string(scope)}}, {}}
			op.Responses["default"] = failure
			op.Parameters = append(op.Parameters, scopeParams()...)
		}
	}
	for _, name := range []string{"ErrorModel", "ErrorDetail"} { // huma's own, which no answer has
		delete(schemas.Map(), name)
	}
	bodyOf[sdk.TaskRequest](schemas, api.Paths["/v1/tasks"].Post, true)
	bodyOf[cancelRequest](schemas, api.Paths["/v1/tasks/{id}/cancel"].Post, false)
	bodyOf[inputAnswer](schemas, api.Paths["/v1/tasks/{id}/input"].Post, true)
	bodyOf[retryRequest](schemas, api.Paths["/v1/tasks/{id}/retry"].Post, false)
	bodyOf[attemptKeyRequest](schemas, api.Paths["/v1/tasks/{id}/key"].Post, true)
	alsoOK(api.Paths["/v1/tasks"].Post, "The same task as before: the Idempotency-Key was used already.")
	alsoOK(api.Paths["/v1/tasks/{id}/retry"].Post, "The same task as before: the Idempotency-Key was used already.")
	alsoOK(api.Paths["/v1/tasks/{id}/cancel"].Post, "The task had ended; nothing is changed.")
	describeWait(api.Paths["/v1/tasks/{id}"].Get.Parameters)
	describeFilter(api.Paths["/v1/tasks"].Get.Parameters)
	for _, describe := range []func(huma.Registry, map[string]*huma.PathItem){
		describeLeases, describeSubscriptions, describeAgents, describeSessions, describePlans, describeEvents,
	} {
		describe(schemas, api.Paths)
	}
	describeEventData(schemas)
	sent := map[string]bool{}
	for _, item := range api.Paths {
		for _, op := range operationsOf(item) {
			if op.RequestBody != nil {
				reach(schemas, op.RequestBody.Content["application/json"].Schema, sent)
			}
		}
	}
	for name, s := range schemas.Map() {
		settle(s)
		if s.AdditionalProperties == false && !sent[name] {
			s.AdditionalProperties = nil // answers may grow; only what is sent is held to the letter
		}
	}
	if spec, err = json.Marshal(api); err != nil {
		return nil, nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	page, err = docsPage(api)
	return spec, page, err
}

// describeWait says how long a wait can be.
func describeWait(params []*huma.Param) {
	for _, p := range params {
		if p.Name == "waitMs" {
			low, high := 0.0, float64(sdk.MaxWaitMs)
			p.Schema = &huma.Schema{Type: huma.TypeInteger, Minimum: &low, Maximum: &high}
		}
	}
}

// operationsOf are the operations of a path, in the order of the methods' names.
func operationsOf(item *huma.PathItem) (found []*huma.Operation) {
	for _, op := range []*huma.Operation{item.Delete, item.Get, item.Post, item.Put} {
		if op != nil {
			found = append(found, op)
		}
	}
	return found
}

func scopeParams() []*huma.Param {
	name := &huma.Schema{Type: huma.TypeString, Pattern: `^[a-z0-9][a-z0-9_-]{0,62}$`}
	return []*huma.Param{
		{Name: headerProject, In: "header", Schema: name, Description: "The project: one of the API key's, and needed where it has several; without keys any, default if left out."},
		{Name: headerOrganization, In: "header", Schema: name, Description: "The project's organization on a server without keys, default if left out; a key has its own."},
	}
}

func bodyOf[T any](schemas huma.Registry, op *huma.Operation, required bool) {
	op.RequestBody = &huma.RequestBody{Required: required, Content: map[string]*huma.MediaType{
		"application/json": {Schema: schemas.Schema(reflect.TypeFor[T](), true, "")},
	}}
}

// alsoOK documents that the operation answers 200 too, with the same body.
func alsoOK(op *huma.Operation, why string) {
	main := op.Responses[strconv.Itoa(op.DefaultStatus)]
	op.Responses[strconv.Itoa(http.StatusOK)] = &huma.Response{Description: why, Content: main.Content, Headers: main.Headers}
}

// settle makes a schema say what is on the wire: lists are never null.
func settle(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	settle(s.Items)
	for _, p := range s.Properties {
		settle(p)
	}
	slices.Sort(s.Required)
}

// reach enters the names of all schemas that s is made of.
func reach(schemas huma.Registry, s *huma.Schema, names map[string]bool) {
	if s == nil {
		return
	}
	if name := strings.TrimPrefix(s.Ref, schemaPrefix); s.Ref != "" && !names[name] {
		names[name] = true
		reach(schemas, schemas.SchemaFromRef(s.Ref), names)
	}
	reach(schemas, s.Items, names)
	for _, one := range s.OneOf {
		reach(schemas, one, names)
	}
	for _, p := range s.Properties {
		reach(schemas, p, names)
	}
}
