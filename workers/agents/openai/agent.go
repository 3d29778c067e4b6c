package openai

import (
	"context"
	"net/http"
	"sync"
	"time"

	api "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// Agent asks a model for every attempt. It is safe for concurrent use.
type Agent struct {
	config Config
	client *http.Client
	chat   api.ChatCompletionService
	clean  *redact.Redactor // as the config says
	late   time.Duration    // how long the end of a stream is waited for once the answer has ended
	life   context.Context  // ends when the agent is closed
	end    context.CancelCauseFunc
}

// defaultLate is how long an endpoint may take to say what a request took.
const defaultLate = 5 * time.Second

var _ sdk.Handler = (*Agent)(nil)

// New checks the config and names every fault of it. It does not ask the endpoint, which may come later than the worker.
func New(c Config) (*Agent, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	clean, err := redact.Parse(c.Redact)
	if err != nil {
		return nil, err
	}
	a := &Agent{config: c, client: &http.Client{Transport: transport()}, clean: clean, late: defaultLate}
	a.life, a.end = context.WithCancelCause(context.Background())
	// The service alone: a client would read variables of the environment beside the config.
	a.chat = api.NewChatCompletionService(
		option.WithBaseURL(c.BaseURL), option.WithAPIKey(c.APIKey), option.WithHTTPClient(a.client),
		option.WithMaxRetries(0), // attempts are the task's
		option.WithMiddleware(streamsOnly),
	)
	return a, nil
}

// transport is that of all programs, but keeps a connection for each slot. There is no bound on the time before an answer begins: a local
// model is loaded first, and the attempt has its own.
func transport() http.RoundTripper {
	shared, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	own := shared.Clone()
	own.MaxIdleConnsPerHost = own.MaxIdleConns
	return own
}

// Handle does one attempt. The request has ended when it returns.
func (a *Agent) Handle(ctx context.Context, in *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
	model, err := a.config.model(in.Model)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(a.life, func() { cancel(context.Cause(a.life)) })()
	r.Progress(sdk.Progress{Category: categorySession, Phase: "Thinking"})
	said := &answer{to: r, model: model, clean: a.clean}
	stream := a.chat.NewStreaming(ctx, api.ChatCompletionNewParams{
		Model:         model,
		Messages:      []api.ChatCompletionMessageParamUnion{api.UserMessage(prompt(in))},
		StreamOptions: api.ChatCompletionStreamOptionsParam{IncludeUsage: api.Bool(true)},
	})
	defer func() { _ = stream.Close() }() // it was only read
	over := sync.OnceFunc(func() { time.AfterFunc(a.late, func() { cancel(nil) }) })
	for !said.tooLong && stream.Next() {
		if said.take(stream.Current()); said.finish != "" {
			over()
		}
	}
	switch {
	case said.tooLong:
		return nil, tooLarge()
	case said.finish != "":
		return said.result()
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	default:
		return nil, a.fault(stream.Err())
	}
}

// Close ends the requests that are under way, as interrupted, and every later one. It answers nil.
func (a *Agent) Close() error {
	a.end(sdk.ErrInterruptedAttempt)
	a.client.CloseIdleConnections()
	return nil
}
