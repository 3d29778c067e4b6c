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

// maxFaults is how many faults an answer names; a body can be wrong in a hundred thousand places.
const maxFaults = 100

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
	if len(out.Faults) > maxFaults {
		more := len(out.Faults) - maxFaults
		out.Faults = append(append([]sdk.Fault{}, out.Faults[:maxFaults]...), sdk.Fault{Path: "$", Message: strconv.Itoa(more) + " more faults are not named"})
	}
	p := &problem{Problem: out.Problem(), headers: http.Header{}}
	if out.RetryAfter > 0 {
		p.headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(float64(out.RetryAfter)/float64(time.Second)))))
	}
	return p
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

// invalid is a refusal that names faults.
func invalid(faults []sdk.Fault) *sdk.Error {
	return &sdk.Error{Code: sdk.CodeInvalidInput, Message: "the request is not valid; errors names every fault", Faults: faults}
}
