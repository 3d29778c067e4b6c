package eventlog

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestFault: only what can never be kept may be answered as such; who publishes leaves its data out then.
func TestFault(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want sdk.Code
	}{
		"the account is full":      {&jetstream.APIError{Code: 400, ErrorCode: 10002, Description: "resource limits exceeded for account"}, sdk.CodeUnavailable},
		"the stream is full":       {&jetstream.APIError{Code: 503, ErrorCode: 10077, Description: "maximum bytes exceeded"}, sdk.CodeUnavailable},
		"the stream is offline":    {&jetstream.APIError{Code: 500, ErrorCode: 10118, Description: "stream is offline"}, sdk.CodeUnavailable},
		"the server is in trouble": {&jetstream.APIError{Code: 500, ErrorCode: 1, Description: "something new"}, sdk.CodeUnavailable},
		"the message is too large": {&jetstream.APIError{Code: 400, ErrorCode: 10054, Description: "message size exceeds maximum allowed"}, sdk.CodePayloadTooLarge},
		"the payload is too large": {nats.ErrMaxPayload, sdk.CodePayloadTooLarge},
		"a request it refuses":     {&jetstream.APIError{Code: 400, ErrorCode: 10025, Description: "bad request"}, sdk.CodeInternal},
		"anything else":            {errors.New("else"), sdk.CodeInternal},
	} {
		e, ok := errors.AsType[*sdk.Error](fault(t.Context(), tc.err))
		if !ok || e.Code != tc.want || !errors.Is(e, tc.err) || (e.RetryAfter > 0) != (tc.want == sdk.CodeUnavailable) {
			t.Errorf("%s: %+v, want %s", name, e, tc.want)
		}
	}
}

// TestDataThatIsNoJSONIsRefusedForGood, not as a fault of the log.
func TestDataThatIsNoJSONIsRefusedForGood(t *testing.T) {
	t.Parallel()
	e := told(1, sdk.EventTaskCreated)
	e.Data = json.RawMessage(`{`)
	if err := open(t, Config{}).AppendStory(bounded(t), "p", StoryPart{Story: aTask("one"), Events: []sdk.Event{e}}); !errors.Is(err, sdk.ErrInvalidInput) {
		t.Error(err)
	}
}
