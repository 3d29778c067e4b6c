package eventlog

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// retryAfter is what a caller is told when the log can not be reached or is overloaded.
const retryAfter = 2 * time.Second

// The codes of JetStream that decide what is done next.
const (
	codeNoMessage      = 10037
	codeNoStream       = 10059
	codeWrongLast      = 10071 // the end of a story is not the expected one
	codeWrongLastNow   = 10164 // the end of a story cannot be told while others write to it
	codeTooManyBatches = 10210
	codeStoreFull      = 10077 // maximum bytes exceeded
	codeAccountFull    = 10002 // of all streams of the account
	codeTooLarge       = 10054 // the message, for the stream
	codeNoResources    = 10047
	codeNoStorage      = 10023
	codeConsumerStore  = 10012 // a subscription's files cannot be written, as while another process ends it
	codeDuplicateNow   = 10158 // the same id is being written
)

// tooManyPulls is what JetStream says to more than maxPulls; the client library has no error of its own for it.
const tooManyPulls = "Exceeded MaxWaiting"

func unavailable(message string) *sdk.Error {
	e := sdk.Errorf(sdk.CodeUnavailable, "%s", message)
	e.RetryAfter = retryAfter
	return e
}

func tooMuch() *sdk.Error {
	e := sdk.Errorf(sdk.CodeRateLimited, "too much of this project waits to be written to the event log already; try again")
	e.RetryAfter = retryAfter
	return e
}

func closed() *sdk.Error { return unavailable("the event log is being closed; try again") }

// fault turns an error of NATS into one of ours; where the caller's own ctx was cancelled, that is the answer. The message of an
// internal one is the cause, for the log.
func fault(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	message := ""
	switch api, _ := errors.AsType[*jetstream.APIError](err); {
	case isCode(err, codeTooLarge) || errors.Is(err, nats.ErrMaxPayload):
		e := sdk.Errorf(sdk.CodePayloadTooLarge, "the event is larger than the event log keeps; make it smaller")
		e.Cause = err
		return e
	case NoRoom(err):
		message = "the event log has no room; its operator has to give it more"
	case isCode(err, codeTooManyBatches) || errors.Is(err, jetstream.ErrTooManyStalledMsgs) || strings.Contains(err.Error(), tooManyPulls):
		message = "the event log has too much to do; try again"
	case isCode(err, codeDuplicateNow):
		message = "the same event is being written; try again"
	case isAway(err) || api != nil && api.Code >= http.StatusInternalServerError:
		message = "the event log can not be reached; try again"
	default:
		e := sdk.Errorf(sdk.CodeInternal, "the event log: %T: %v", err, err)
		e.Cause = err
		return e
	}
	e := unavailable(message)
	e.Cause = err
	return e
}

// NoRoom reports whether an error says that there is no room for what was to be kept.
func NoRoom(err error) bool {
	return isCode(err, codeStoreFull, codeAccountFull, codeNoResources, codeNoStorage)
}

// codeOf is JetStream's own code of an error; 0 when it has none.
func codeOf(err error) int {
	if e, ok := errors.AsType[*jetstream.APIError](err); ok && e != nil {
		return int(e.ErrorCode)
	}
	return 0
}

func isCode(err error, codes ...int) bool { return slices.Contains(codes, codeOf(err)) }

func isAway(err error) bool {
	for _, away := range []error{
		context.DeadlineExceeded, context.Canceled, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrConnectionClosed, nats.ErrDisconnected,
		nats.ErrReconnectBufExceeded, nats.ErrNoServers, jetstream.ErrNoStreamResponse, jetstream.ErrNoHeartbeat,
		jetstream.ErrServerShutdown, jetstream.ErrConsumerLeadershipChanged, jetstream.ErrAsyncPublishTimeout, jetstream.ErrConsumerDeleted,
	} {
		if errors.Is(err, away) {
			return true
		}
	}
	return false
}
