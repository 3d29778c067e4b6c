package sdk

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// endless is a body that a careless reader would never finish.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func response(status int, contentType string, body io.Reader, headers ...string) *http.Response {
	h := http.Header{"Content-Type": {contentType}}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body)}
}

func TestErrorSurvivesTheWire(t *testing.T) {
	t.Parallel()
	for _, code := range []Code{
		CodeInvalidJSON, CodeInvalidInput, CodeUnauthenticated, CodeForbidden, CodeNotFound, CodeMethodNotAllowed, CodeNotAcceptable, CodeConflict, CodeLeaseLost,
		CodeHistoryExpired, CodePayloadTooLarge, CodeUnsupportedMediaType, CodeIdempotencyMismatch, CodeReservedType, CodeDelegationLimit, CodeRateLimited, CodeUnavailable,
	} {
		e := &Error{Code: code, Message: "what to do", Faults: []Fault{{Path: "$.a", Message: "m"}}, Instance: "r1", RetryAfter: 3 * time.Second}
		body, err := json.Marshal(e.Problem())
		if err != nil {
			t.Fatal(err)
		}
		got := ErrorFromResponse(response(code.HTTPStatus(), ProblemContentType, strings.NewReader(string(body)), "Retry-After", "3"))
		want := *e
		want.Status = code.HTTPStatus()
		if diff := cmp.Diff(&want, got); diff != "" || !errors.Is(got, &Error{Code: code}) || want.Status < 400 {
			t.Errorf("%s (status %d): %s", code, want.Status, diff)
		}
	}
}

func TestInternalErrorsKeepTheirText(t *testing.T) {
	t.Parallel()
	p := (&Error{Code: CodeInternal, Message: "secret", Faults: []Fault{{Path: "secret"}}, Instance: "r1"}).Problem()
	body, err := json.Marshal(p)
	if err != nil || strings.Contains(string(body), "secret") || p.Instance != "r1" || p.Status != 500 {
		t.Errorf("%s, %v", body, err)
	}
}

func TestErrorFromAnythingElse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		resp *http.Response
		code Code
	}{
		{"a proxy's page", response(502, "text/html", strings.NewReader("<h1>Bad Gateway</h1>")), CodeUnavailable},
		{"no content type", response(503, "", strings.NewReader("")), CodeUnavailable},
		{"torn problem", response(404, ProblemContentType, strings.NewReader(`{"code":"not_f`)), CodeNotFound},
		{"problem of another service", response(403, ProblemContentType, strings.NewReader(`{"title":"no"}`)), CodeForbidden},
		{"code that is none", response(409, "application/json", strings.NewReader(`{"code":"Not A Code"}`)), CodeConflict},
		{"endless body", response(500, "text/plain", endless{}), CodeInternal},
		{"a redirect", response(302, "text/html", strings.NewReader("")), CodeInternal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ErrorFromResponse(tt.resp)
			if got.Code != tt.code || got.Status != tt.resp.StatusCode || got.Message == "" || strings.Contains(got.Message, "<h1>") {
				t.Errorf("%+v", got)
			}
		})
	}
}
