package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// newMeters makes meters whose instruments registry shows.
func newMeters(registry prometheus.Registerer) (*sdkmetric.MeterProvider, error) {
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, err
	}
	seconds := sdkmetric.NewView(sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram}, sdkmetric.Stream{
		Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: temporalBuckets(), NoMinMax: true},
	})
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithView(seconds)), nil
}

// temporalBuckets are the bounds of the SDK's timers, in seconds: from a call's milliseconds to the hours that a task may take.
func temporalBuckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 14400}
}

// temporalMetrics takes the metrics of Temporal's SDK.
func (t *Telemetry) temporalMetrics() client.MetricsHandler {
	return temporalHandler{t, opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter:                t.meters.Meter("temporal-sdk-go"),
		OnError:              func(err error) { t.log.Warn("a metric of Temporal's SDK is not counted", "error", err) },
		UseMonotonicCounters: true,
	})}
}

// The tags of Temporal's SDK that become labels. task_queue does under another value, for a queue's name holds a project and may hold
// an agent; client_name is always the same. One that is not named here does not become a label.
const (
	tagQueue        = "task_queue"
	tagNamespace    = "namespace"
	tagPoller       = "poller_type"
	tagWorker       = "worker_type"
	tagWorkflowType = "workflow_type"
	tagActivityType = "activity_type"
	tagReason       = "failure_reason"
	tagOperation    = "operation"
	tagCause        = "cause"
	tagStatus       = "status_code"
)

// queueNone is what the SDK says where no queue is concerned.
const queueNone = "none"

// temporalHandler lets those tags through that have few values.
type temporalHandler struct {
	t *Telemetry
	client.MetricsHandler
}

func (h temporalHandler) WithTags(tags map[string]string) client.MetricsHandler {
	kept := make(map[string]string, len(tags))
	for name, value := range tags {
		switch name {
		case tagQueue:
			kept[name] = h.t.queueLabel(value)
		case tagNamespace, tagPoller, tagWorker, tagWorkflowType, tagActivityType, tagReason, tagOperation, tagCause, tagStatus:
			kept[name] = value
		}
	}
	return temporalHandler{h.t, h.MetricsHandler.WithTags(kept)}
}

// queueLabel is what metrics call a task queue.
func (t *Telemetry) queueLabel(queue string) string {
	if label, ok := t.queues[queue]; ok {
		return label
	}
	if queue == queueNone {
		return queue
	}
	return "other"
}
