package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// ProblemContentType is the media type of a [Problem].
const ProblemContentType = "application/problem+json"

// problemTypePrefix makes a code the URI of its problem type.
const problemTypePrefix = "urn:rolecall:problem:"

// Problem is an error as it goes over HTTP (RFC 9457). Instance is the request's id: it is in the server's log.
type Problem struct {
	Type     string  `json:"type" doc:"The kind of problem as a URI: urn:rolecall:problem: and the code." example:"urn:rolecall:problem:invalid_input"`
	Title    string  `json:"title" doc:"The kind of problem in words." example:"The request is not valid"`
	Status   int     `json:"status" doc:"The HTTP status." example:"422"`
	Detail   string  `json:"detail,omitempty" doc:"What is wrong with this request and what to do about it."`
	Instance string  `json:"instance,omitempty" doc:"The request's id, as in X-Request-Id and in the server's log."`
	Code     Code    `json:"code" doc:"The kind of problem as a stable word." example:"invalid_input"`
	Errors   []Fault `json:"errors,omitempty" doc:"Every wrong field, by its JSON path."`

	FirstSequence string `json:"firstSequence,omitempty" doc:"With history_expired: the first event that is kept."`
}

// HTTPStatus is the status that goes with the code; 500 for one that is no code of a refused request.
func (c Code) HTTPStatus() int {
	status, _ := c.http()
	return status
}

// http is the one table of statuses and titles.
func (c Code) http() (status int, title string) {
	switch c {
	case CodeInvalidJSON:
		return http.StatusBadRequest, "The body is not JSON"
	case CodeInvalidInput:
		return http.StatusUnprocessableEntity, "The request is not valid"
	case CodeUnauthenticated:
		return http.StatusUnauthorized, "A valid key is needed"
	case CodeForbidden:
		return http.StatusForbidden, "The request is not allowed"
	case CodeNotFound:
		return http.StatusNotFound, "There is no such thing"
	case CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed, "The method is not allowed here"
	case CodeNotAcceptable:
		return http.StatusNotAcceptable, "No acceptable representation"
	case CodeConflict:
		return http.StatusConflict, "The request does not fit the present state"
	case CodeLeaseLost:
		return http.StatusConflict, "The lease is lost"
	case CodeHistoryExpired:
		return http.StatusGone, "That part of the history is gone"
	case CodePayloadTooLarge:
		return http.StatusRequestEntityTooLarge, "The body is too large"
	case CodeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType, "The body has the wrong media type"
	case CodeIdempotencyMismatch:
		return http.StatusUnprocessableEntity, "The idempotency key belongs to another request"
	case CodeReservedType:
		return http.StatusUnprocessableEntity, "The type is reserved"
	case CodeDelegationLimit:
		return http.StatusUnprocessableEntity, "Tasks are delegated too deep or too widely"
	case CodeRateLimited:
		return http.StatusTooManyRequests, "Too many requests"
	case CodeUnavailable:
		return http.StatusServiceUnavailable, "The service can not be reached"
	default:
		return http.StatusInternalServerError, "Something went wrong inside"
	}
}

// Problem is the error as a problem document. The message of an internal error stays inside.
func (e *Error) Problem() Problem {
	status, title := e.Code.http()
	p := Problem{
		Type: problemTypePrefix + string(e.Code), Title: title, Status: status, Detail: e.Message,
		Instance: e.Instance, Code: e.Code, Errors: e.Faults,
	}
	if e.FirstSequence > 0 {
		p.FirstSequence = FormatSequence(e.FirstSequence)
	}
	if e.Code == CodeInternal {
		p.Detail, p.Errors = "the cause is in the server's log under the id given as instance", nil
	}
	return p
}

// ErrorFromResponse rebuilds the error of a response that is not a success. It reads at most [MaxBody] of the body and leaves
// closing it to the caller.
func ErrorFromResponse(resp *http.Response) *Error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	if err != nil {
		body = nil // what arrived is a torso; status and headers still say enough
	}
	return ErrorFromProblem(resp.StatusCode, resp.Header, body)
}

// ErrorFromProblem rebuilds an error from its parts. A body that is no problem document, such as a proxy's, gives an error whose
// code follows from the status.
func ErrorFromProblem(status int, header http.Header, body []byte) *Error {
	e := &Error{Status: status, RetryAfter: retryAfter(header), Instance: header.Get("X-Request-Id")}
	var p Problem
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	known := err == nil && (media == ProblemContentType || media == "application/json")
	if !known || json.Unmarshal(body, &p) != nil || !p.Code.Valid() {
		e.Code = codeOfStatus(status)
		e.Message = fmt.Sprintf("HTTP %d %s without a problem document: the answer may come from a proxy or from another service",
			status, http.StatusText(status))
		return e
	}
	e.Code, e.Message, e.Faults = p.Code, p.Detail, p.Errors
	if e.Message == "" {
		e.Message = p.Title
	}
	if p.Instance != "" {
		e.Instance = p.Instance
	}
	if first, err := ParseSequence(p.FirstSequence); err == nil {
		e.FirstSequence = first
	}
	return e
}

// codeOfStatus is the nearest code for an answer that names none.
func codeOfStatus(status int) Code {
	switch status {
	case http.StatusBadRequest:
		return CodeInvalidJSON
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return CodeUnauthenticated
	case http.StatusForbidden:
		return CodeForbidden
	case http.StatusNotFound:
		return CodeNotFound
	case http.StatusMethodNotAllowed:
		return CodeMethodNotAllowed
	case http.StatusNotAcceptable:
		return CodeNotAcceptable
	case http.StatusConflict:
		return CodeConflict
	case http.StatusGone:
		return CodeHistoryExpired
	case http.StatusRequestEntityTooLarge:
		return CodePayloadTooLarge
	case http.StatusUnsupportedMediaType:
		return CodeUnsupportedMediaType
	case http.StatusUnprocessableEntity:
		return CodeInvalidInput
	case http.StatusTooManyRequests:
		return CodeRateLimited
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return CodeUnavailable
	default:
		return CodeInternal
	}
}

// retryAfter reads Retry-After, which is in seconds; 0 when there is none or it is not a number.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds), 24*3600) * time.Second
}
