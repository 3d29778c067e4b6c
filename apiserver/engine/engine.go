package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/singleflight"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// Config sets an [Engine] up. The zero value of a field means its default.
type Config struct {
	// Namespace is the client's namespace. Default "default".
	Namespace string
	// UIURL is the address of the Temporal UI, for links; empty leaves them out.
	UIURL string
	// DescribeTTL is how long a look at a running task serves other readers. Default 200 ms.
	DescribeTTL time.Duration
	// PollInterval is the longest gap between two looks at a task that somebody waits for. Default 2 s.
	PollInterval time.Duration
	// Linger is how long what waits for a task outlives its last waiter, and what follows a project's log its last task. Default 15 s.
	Linger time.Duration
	// MaxPolls is how many tasks have a long poll at once; waiters beyond it rely on PollInterval. Default 2000.
	MaxPolls int
	// MaxQueries is how many runs are asked for their progress at once; what can not be asked in time is stale. Default 4.
	MaxQueries int
	// MaxSessionQueries is how many runs of sessions are asked how they stand at once; what can not be asked in time is stale. Default 4.
	MaxSessionQueries int
	// MaxPlanQueries is how many runs of plans are asked how they stand at once, of one project one less; what can not be asked in time is
	// stale. Default 4.
	MaxPlanQueries int
	// MaxLists is how many calls for lists are under way at once, of one project one less; the others wait. Default 4.
	MaxLists int
	// CallTimeout bounds one call to Temporal, retries included. Default 5 s.
	CallTimeout time.Duration
	// DataConverter is the client's own. Default [workflows.DataConverter].
	DataConverter converter.DataConverter
	// Events is the log whose terminal events wake waits, and to which those of runs are written that were ended from outside. Default
	// nil: there is none, and each task that is waited for has a long poll.
	Events *eventlog.Log
	// Before is what an event goes through before it is written to the log. Default nil: it is written as it is.
	Before func(sdk.Event) sdk.Event
	// SweepInterval is between two looks for runs that were ended from outside. Default 10 s.
	SweepInterval time.Duration
	// SharedLeases says that other engines may be asked about the leases of this one, as where several servers have the same sealing keys.
	// Then Temporal is asked what has been said of an attempt. Default false.
	SharedLeases bool
	// Metrics takes the engine's metrics; one serves one engine. Default nil: they are not shown.
	Metrics prometheus.Registerer
	// Logger is where the engine says what nobody asked for. Default [slog.Default].
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Namespace == "" {
		c.Namespace = client.DefaultNamespace
	}
	c.DescribeTTL = orDefault(c.DescribeTTL, 200*time.Millisecond)
	c.PollInterval = orDefault(c.PollInterval, 2*time.Second)
	c.Linger = orDefault(c.Linger, 15*time.Second)
	c.CallTimeout = orDefault(c.CallTimeout, 5*time.Second)
	if c.MaxPolls == 0 {
		c.MaxPolls = 2000
	}
	if c.MaxQueries == 0 {
		c.MaxQueries = 4
	}
	if c.MaxSessionQueries == 0 {
		c.MaxSessionQueries = 4
	}
	if c.MaxPlanQueries == 0 {
		c.MaxPlanQueries = 4
	}
	if c.MaxLists == 0 {
		c.MaxLists = 4
	}
	c.SweepInterval = orDefault(c.SweepInterval, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.DataConverter == nil {
		c.DataConverter = workflows.DataConverter()
	}
	return c
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return d
}

// What the caches hold at most, in bytes, and for how long.
const (
	runningBytes    = 32 << 20
	finishedBytes   = 64 << 20
	textBytes       = 64 << 20
	sessionsBytes   = 16 << 20
	sentBytes       = 16 << 20
	plansBytes      = 16 << 20
	endedPlansBytes = 32 << 20
	finishedTTL     = time.Minute
	sentTTL         = time.Hour
	textTTL         = time.Hour

	openListBytes   = 16 << 20
	closedListBytes = 16 << 20
	closedListTTL   = time.Hour
)

// temporalAPI is what the engine needs of a [client.Client].
type temporalAPI interface {
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filterType enumspb.HistoryEventFilterType) client.HistoryEventIterator
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
	CancelWorkflow(ctx context.Context, workflowID, runID string) error
	UpdateWorkflow(ctx context.Context, options client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error)
	QueryWorkflow(ctx context.Context, workflowID, runID, queryType string, args ...any) (converter.EncodedValue, error)
	WorkflowService() workflowservice.WorkflowServiceClient
}

// Engine runs tasks on Temporal. It is safe for concurrent use and keeps no state that matters: any number may serve at once.
type Engine struct {
	temporal temporalAPI
	cfg      Config
	failures converter.FailureConverter

	flight   singleflight.Group   // by workflow id: one describe at a time
	running  *cache[sighting]     // by workflow id
	sessions *cache[sdk.Session]  // by workflow id
	glimpses *cache[sdk.Session]  // by workflow id: as their memos have them
	sent     *cache[sdk.Task]     // by workflow id: what a session was sent, as it waits for its turn
	plans    *cache[sdk.Plan]     // by workflow id
	finished *cache[sdk.Task]     // by workflow id
	texts    *cache[requestTexts] // by run id: what a memo was too small for

	planGlimpses *cache[sdk.Plan] // by workflow id: as their memos have them
	endedPlans   *cache[sdk.Plan] // by workflow id

	asking            singleflight.Group       // by run: one query at a time
	queries           chan struct{}            // holds one of Config.MaxQueries for each query under way
	queriesOfSessions chan struct{}            // likewise, of Config.MaxSessionQueries
	queriesOfPlans    chan struct{}            // likewise, of Config.MaxPlanQueries
	openLists         *cache[recordedProgress] // by run; of closed runs only that they could not be asked
	closedLists       *cache[recordedProgress] // by run

	looks  singleflight.Group // by workflow id: one look waits for its turn at a time
	looked *cache[time.Time]  // by workflow id: when the last look began

	lookingAt singleflight.Group // by task queue: one look at a time
	queues    *cache[queueSeen]  // by task queue

	lookingForRoles singleflight.Group // by project: one look at a time
	openRoles       *cache[[]sdk.Role] // by project

	lists   *cache[turns] // by project
	listing chan struct{} // holds one of Config.MaxLists for each call under way

	stories   *stories
	bellTimes bellTimes
	leases    *leases

	life  context.Context // ends with Close
	close context.CancelFunc
	work  sync.WaitGroup

	mu      sync.Mutex
	watches map[string]*watch // by workflow id
	polls   int               // how many watches hold a long poll
	bells   map[string]*bell  // by project
}

// New makes an engine over c. Call [Engine.Close] when done; the client stays the caller's.
func New(c client.Client, cfg Config) *Engine { return newEngine(c, cfg) }

func newEngine(api temporalAPI, cfg Config) *Engine {
	cfg = cfg.withDefaults()
	life, stop := context.WithCancel(context.Background())
	e := &Engine{
		temporal: api,
		stories:  newStories(cfg),
		leases:   newLeases(),
		cfg:      cfg,
		failures: temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: cfg.DataConverter}),
		running:  newCache[sighting](runningBytes, cfg.DescribeTTL),
		finished: newCache[sdk.Task](finishedBytes, finishedTTL),
		sessions: newCache[sdk.Session](sessionsBytes, cfg.DescribeTTL),
		glimpses: newCache[sdk.Session](sessionsBytes, cfg.DescribeTTL),
		sent:     newCache[sdk.Task](sentBytes, sentTTL),
		texts:    newCache[requestTexts](textBytes, textTTL),

		plans:        newCache[sdk.Plan](plansBytes, cfg.DescribeTTL),
		planGlimpses: newCache[sdk.Plan](plansBytes, cfg.DescribeTTL),
		endedPlans:   newCache[sdk.Plan](endedPlansBytes, finishedTTL),

		queries:           make(chan struct{}, cfg.MaxQueries),
		queriesOfSessions: make(chan struct{}, cfg.MaxSessionQueries),
		queriesOfPlans:    make(chan struct{}, cfg.MaxPlanQueries),
		openLists:         newCache[recordedProgress](openListBytes, cfg.DescribeTTL),
		closedLists:       newCache[recordedProgress](closedListBytes, closedListTTL),

		looked: newCache[time.Time](lookedBytes, lookPause),

		lists:   newCache[turns](turnBytes, turnTTL),
		listing: make(chan struct{}, cfg.MaxLists),

		queues: newCache[queueSeen](queueBytes, queueTTL), openRoles: newCache[[]sdk.Role](openRolesBytes, openRolesTTL),

		life:    life,
		close:   stop,
		watches: map[string]*watch{},
		bells:   map[string]*bell{},

		bellTimes: bellTimes{start: bellStart, look: quickLook},
	}
	if cfg.Metrics != nil {
		for _, c := range append(e.leases.metrics.collectors(), e.stories.ended) {
			if err := cfg.Metrics.Register(c); err != nil {
				cfg.Logger.Warn("a metric of the engine is not shown", "error", err)
			}
		}
	}
	if cfg.Events != nil {
		e.work.Go(e.tendStories)
	}
	return e
}

// Close ends the engine's goroutines and waits for them. Waits that are still open are answered with what is known.
func (e *Engine) Close() {
	e.mu.Lock()
	e.close()
	e.mu.Unlock()
	e.work.Wait()
}

// Ready answers nil when Temporal can be reached and has the namespace.
func (e *Engine) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	_, err := e.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: e.cfg.Namespace})
	if err != nil {
		return fault(err)
	}
	return nil
}
