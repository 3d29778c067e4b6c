package apiserver

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/rolecall-dev/rolecall/sdk"
)

// unavailableRetry is after how long to try again when whatever can not be reached does not say.
const unavailableRetry = 2 * time.Second

// problem is an error on its way out of a huma handler.
type problem struct {
	sdk.Problem
	headers http.Header
}

var (
	_ huma.StatusError       = (*problem)(nil)
	_ huma.HeadersError      = (*problem)(nil)
	_ huma.ContentTypeFilter = (*problem)(nil)
)

func (p *problem) Error() string             { return string(p.Code) + ": " + p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) GetHeaders() http.Header   { return p.headers }
func (p *problem) ContentType(string) string { return sdk.ProblemContentType }

// problem makes the answer for an error. The cause of an internal one goes to the log, under the request's id, and nowhere else.
func (s *Server) problem(ctx context.Context, err error) *problem {
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		e = sdk.Errorf(sdk.CodeInternal, "%T: %v", err, err)
	}
	out := *e
	out.Instance = requestIDOf(ctx)
	if out.Code.HTTPStatus() == http.StatusInternalServerError {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "a request failed inside", "requestId", out.Instance, "cause", e.Error())
		}
		out.Code = sdk.CodeInternal
	}
	if out.Code == sdk.CodeUnavailable && out.RetryAfter <= 0 {
		out.RetryAfter = unavailableRetry
	}
	if len(out.Faults) > maxFaults+1 { // none of ours, which end with how many more there are
		out.Faults = invalid(out.Faults).Faults
	}
	p := &problem{Problem: out.Problem(), headers: http.Header{}}
	if out.RetryAfter > 0 {
		p.headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(float64(out.RetryAfter)/float64(time.Second)))))
	}
	return p
}

// taskProblem makes the answer for an error about one task. A task that is not there and one that is not the caller's look alike.
func (s *Server) taskProblem(ctx context.Context, err error) *problem {
	if errors.Is(err, sdk.ErrNotFound) {
		err = sdk.Errorf(sdk.CodeNotFound, "there is no such task in this project, or it is older than what is kept")
	}
	return s.problem(ctx, err)
}

// refuse answers with a problem document and ends the request's chain of handlers.
func (s *Server) refuse(c *gin.Context, err error) {
	p := s.problem(c.Request.Context(), err)
	for name, values := range p.headers {
		c.Writer.Header()[name] = values
	}
	c.Header("Content-Type", sdk.ProblemContentType)
	c.AbortWithStatusJSON(p.Status, p.Problem)
}

func (s *Server) noRoute(c *gin.Context) {
	s.refuse(c, sdk.Errorf(sdk.CodeNotFound, "there is nothing at this path; GET /docs lists what there is"))
}

func (s *Server) noMethod(c *gin.Context) {
	s.refuse(c, sdk.Errorf(sdk.CodeMethodNotAllowed, "the Allow header lists the methods of this path"))
}
