package apiserver

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
)

// routes is the map of the API.
func (s *Server) routes() (http.Handler, error) {
	r := newRouter()
	r.Use(s.observe, s.identify, s.recoverPanics, s.guard)
	r.NoRoute(s.noRoute)
	r.NoMethod(s.noMethod)

	r.GET("/healthz", s.healthz)
	r.GET("/readyz", s.readyz)

	api := humagin.New(r, apiConfig())
	huma.Register(api, operation(http.MethodPost, "/v1/tasks", "create-task", "Delegate a task to a role", http.StatusCreated), s.createTask)
	huma.Register(api, operation(http.MethodGet, "/v1/tasks", "list-tasks", "List tasks", http.StatusOK), s.listTasks)
	huma.Register(api, operation(http.MethodGet, "/v1/tasks/{id}", "get-task", "Read a task, or wait for its end", http.StatusOK), s.getTask)
	huma.Register(api, operation(http.MethodPost, "/v1/tasks/{id}/cancel", "cancel-task", "Stop a task", http.StatusAccepted), s.cancelTask)
	huma.Register(api, operation(http.MethodPost, "/v1/tasks/{id}/input", "provide-input", "Answer a task's question", http.StatusOK), s.provideInput)
	huma.Register(api, operation(http.MethodPost, "/v1/tasks/{id}/retry", "retry-task", "Create a task anew from a finished one's request", http.StatusCreated), s.retryTask)
	huma.Register(api, operation(http.MethodPost, "/v1/tasks/{id}/key", "mint-attempt-key", "Make a key for the agent of a running attempt", http.StatusCreated), s.mintAttemptKey)
	huma.Register(api, operation(http.MethodGet, "/v1/tasks/{id}/progress", "list-progress", "List a task's progress", http.StatusOK), s.listProgress)
	s.sessionRoutes(api)
	s.planRoutes(api)
	s.subscriptionRoutes(api)
	huma.Register(api, operation(http.MethodGet, "/v1/errors", "list-errors", "Group the failures of attempts", http.StatusOK), s.listErrors)
	s.eventRoutes(api)
	s.leaseRoutes(api)
	s.agentRoutes(api)

	spec, page, err := document(api.OpenAPI())
	if err != nil {
		return nil, err
	}
	r.GET("/openapi.json", serveBytes("application/json", spec))
	r.GET("/docs", serveBytes("text/html; charset=utf-8", page))
	return answerHead(r), nil
}

// newRouter is a gin engine that neither redirects nor guesses: a path is one of the routes, byte for byte, or it is not found.
func newRouter() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.RedirectTrailingSlash = false
	r.RedirectFixedPath = false
	r.HandleMethodNotAllowed = true
	r.UseEscapedPath = true // so that an escaped slash stays inside its segment
	return r
}

type headKey struct{}

// isHead reports whether only the headers of an answer are wanted.
func isHead(ctx context.Context) bool {
	head, _ := ctx.Value(headKey{}).(bool)
	return head
}

// answerHead lets HEAD be answered like GET; net/http leaves the body out.
func answerHead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			get := *r
			get.Method = http.MethodGet
			r = get.WithContext(context.WithValue(get.Context(), headKey{}, true))
		}
		next.ServeHTTP(w, r)
	})
}
