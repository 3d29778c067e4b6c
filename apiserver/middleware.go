package apiserver

import (
	"context"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/rolecall-dev/rolecall/sdk"
)

// headerRequestID names a request, in both directions.
const headerRequestID = "X-Request-Id"

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

type requestIDKey struct{}

func requestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// identify gives the request its id (the caller's own where it is a sane one) and logs how it was answered. What the log holds
// of a request is here, whole: no body, no query, no header but the project's name, of a key its id.
func (s *Server) identify(c *gin.Context) {
	began := time.Now()
	id := c.GetHeader(headerRequestID)
	if !requestIDPattern.MatchString(id) {
		id = uuid.NewString()
	}
	c.Header(headerRequestID, id)
	c.Header("X-Content-Type-Options", "nosniff")
	answered := awaitBody(c, s.bodyTimeout)
	defer answered()
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestIDKey{}, id))
	c.Next()
	route := c.FullPath()
	if route == "" {
		route = "none"
	}
	who := callerOf(c.Request.Context())
	attrs := []slog.Attr{
		slog.String("method", knownMethod(c.Request.Method)), slog.String("route", route), slog.Int("status", c.Writer.Status()),
		slog.Int64("ms", time.Since(began).Milliseconds()), slog.String("requestId", id),
		slog.String("project", who.project),
	}
	if who.key != "" {
		attrs = append(attrs, slog.String("key", who.key))
	}
	if who.attempt != nil {
		attrs = append(attrs, slog.String("attemptOf", who.attempt.Task))
	}
	if span := trace.SpanContextFromContext(c.Request.Context()); span.IsValid() {
		attrs = append(attrs, slog.String("traceId", span.TraceID().String()))
	}
	s.log.LogAttrs(c.Request.Context(), levelOf(c.Writer.Status()), "request", attrs...)
}

func levelOf(status int) slog.Level {
	if status >= http.StatusInternalServerError {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// knownMethod keeps a caller's inventions out of the log.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	default:
		return "other"
	}
}

// recoverPanics turns a panic into an internal error. Its type and stack go to the log; its text may hold what a caller sent.
func (s *Server) recoverPanics(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		ctx := c.Request.Context()
		level := slog.LevelError
		if ctx.Err() != nil { // the caller has gone, and writing to it may be what failed
			level = slog.LevelDebug
		}
		s.log.Log(ctx, level, "a handler panicked", "requestId", requestIDOf(ctx), "panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) //nolint:forbidigo // how net/http is told to cut an answer off
		}
		s.refuse(c, sdk.Errorf(sdk.CodeInternal, "a panic"))
	}()
	c.Next()
}

// guard lets a request through that may be answered: it comes from here, names its project, sends JSON where it sends a body, and
// can take back what the route answers.
func (s *Server) guard(c *gin.Context) {
	if err := s.checkSource(c.Request); err != nil {
		s.refuse(c, err)
		return
	}
	if s.allowOrigin(c) {
		return
	}
	if !strings.HasPrefix(c.FullPath(), "/v1/") {
		c.Next()
		return
	}
	route := c.Request.Method + " " + c.FullPath()
	scope, known := scopeOf(route)
	if !known {
		s.refuse(c, sdk.Errorf(sdk.CodeInternal, "the route %s has no scope", route))
		return
	}
	who, err := s.authenticate(c.Request, scope)
	if err == nil && who.attempt != nil {
		err = s.checkAttemptMay(c.Request.Context(), who, route, c.Param("id"))
	}
	if who.key != "" { // also of a request that is refused, so that the log can tell whose it was
		c.Request = c.Request.WithContext(withCaller(c.Request.Context(), who))
	}
	if err != nil {
		if err.Code == sdk.CodeUnauthenticated {
			c.Header("WWW-Authenticate", challenge(c.Request))
		}
		s.refuse(c, err)
		return
	}
	c.Request = c.Request.WithContext(withCaller(c.Request.Context(), who))
	c.Header("Cache-Control", "no-store")
	if want := answerType(c); !accepts(c.Request, want) {
		s.refuse(c, sdk.Errorf(sdk.CodeNotAcceptable, "the answer is %s; the request's Accept leaves it out", want))
		return
	}
	if !sendsJSON(c.Request) && !(c.FullPath() == "/v1/events" && sendsCloudEvent(c.Request)) {
		s.refuse(c, sdk.Errorf(sdk.CodeUnsupportedMediaType, "send the body as JSON, with Content-Type: application/json"))
		return
	}
	c.Next()
}

// sendsJSON reports whether a request's body, if it can have one, is declared as JSON. None at all is fine: what needs one says so.
func sendsJSON(r *http.Request) bool {
	declared := r.Header.Values("Content-Type")
	if r.Method == http.MethodGet || len(declared) == 0 && r.ContentLength == 0 {
		return true
	}
	if len(declared) != 1 {
		return false
	}
	media, params, err := mime.ParseMediaType(declared[0])
	charset := params["charset"]
	return err == nil && media == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// answerType is the media type of an answer that is no refusal.
func answerType(c *gin.Context) string {
	if isStream(c) {
		return contentTypeSSE
	}
	return "application/json"
}

// accepts reports whether Accept, if there is one, has room for a media type, or at least for refusals.
func accepts(r *http.Request, want string) bool {
	values := r.Header.Values("Accept")
	if len(values) == 0 {
		return true
	}
	family, _, _ := strings.Cut(want, "/")
	for _, one := range strings.Split(strings.Join(values, ","), ",") {
		media, params, err := mime.ParseMediaType(one)
		if err != nil || strings.Trim(params["q"], "0.") == "" && params["q"] != "" {
			continue
		}
		switch media {
		case "*/*", family + "/*", want:
			return true
		case sdk.ProblemContentType:
			if want == "application/json" {
				return true
			}
		}
	}
	return false
}
