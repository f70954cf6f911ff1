package telemetry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// Bounds of what waits to be sent.
const (
	queueMax     = 2048
	batchMax     = 512
	batchWait    = time.Second // until a batch that is not full is sent
	sendTimeout  = 10 * time.Second
	flushTimeout = 3 * time.Second // at the end
)

// Counts are what became of spans.
type Counts struct {
	Sent    uint64
	Dropped uint64 // the queue was full
	Failed  uint64 // the collector did not take them
	Waiting int
}

// queue is a sdk.SpanProcessor that waits for nobody. (That of the SDK does not say what
// it drops.)
type queue struct {
	exporter sdk.SpanExporter
	problem  func(error)
	spans    chan sdk.ReadOnlySpan
	life     context.Context // of what is sent before the end
	over     context.CancelFunc
	quit     chan struct{}
	ended    chan struct{}
	once     sync.Once

	sent, dropped, failed atomic.Uint64
}

var _ sdk.SpanProcessor = (*queue)(nil)

func newQueue(e sdk.SpanExporter, problem func(error)) *queue {
	life, over := context.WithCancel(context.Background())
	q := &queue{life: life, over: over, exporter: e, problem: problem, spans: make(chan sdk.ReadOnlySpan, queueMax), quit: make(chan struct{}), ended: make(chan struct{})}
	go q.run() // ends with Shutdown
	return q
}

// OnStart implements sdk.SpanProcessor.
func (q *queue) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd implements sdk.SpanProcessor.
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	select {
	case q.spans <- s:
	default:
		q.dropped.Add(1)
	}
}

// run sends batches until quit, and then what is left.
func (q *queue) run() {
	defer close(q.ended)
	batch := make([]sdk.ReadOnlySpan, 0, batchMax)
	ticker := time.NewTicker(batchWait)
	defer ticker.Stop()
	for {
		select {
		case s := <-q.spans:
			if batch = append(batch, s); len(batch) < batchMax {
				continue
			}
		case <-ticker.C:
		case <-q.quit:
			q.flush(batch)
			return
		}
		ctx, cancel := context.WithTimeout(q.life, sendTimeout)
		q.send(ctx, batch)
		cancel()
		batch = batch[:0]
	}
}

// flush sends what waits, within a bound.
func (q *queue) flush(batch []sdk.ReadOnlySpan) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	for {
		select {
		case s := <-q.spans:
			if batch = append(batch, s); len(batch) < batchMax {
				continue
			}
			q.send(ctx, batch)
			batch = batch[:0]
		default:
			q.send(ctx, batch)
			return
		}
	}
}

func (q *queue) send(ctx context.Context, batch []sdk.ReadOnlySpan) {
	if len(batch) == 0 {
		return
	}
	if err := q.exporter.ExportSpans(ctx, batch); err != nil {
		q.failed.Add(uint64(len(batch)))
		q.problem(err)
		return
	}
	q.sent.Add(uint64(len(batch)))
}

// ForceFlush implements sdk.SpanProcessor. It does nothing: nobody here asks for it.
func (q *queue) ForceFlush(context.Context) error { return nil }

// Shutdown implements sdk.SpanProcessor: it sends what waits, within a bound.
func (q *queue) Shutdown(ctx context.Context) error {
	defer q.over()
	q.once.Do(func() {
		close(q.quit)
		time.AfterFunc(flushTimeout/2, q.over) // what is being sent to a collector that is away
	})
	select {
	case <-q.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	return q.exporter.Shutdown(ctx)
}

func (q *queue) counts() Counts {
	return Counts{Sent: q.sent.Load(), Dropped: q.dropped.Load(), Failed: q.failed.Load(), Waiting: len(q.spans)}
}
