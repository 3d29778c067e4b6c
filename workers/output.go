package workers

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

const (
	outputEvery  = 100 * time.Millisecond // the shortest gap between two calls for an attempt
	outputCalls  = 50                     // calls a second of all attempts of a process
	outputTry    = 2 * time.Second        // of one call
	outputAway   = 5 * time.Second        // how long nothing waits after one that failed
	outputEarly  = time.Second            // and after one that came before the service knew that the attempt runs
	outputLast   = time.Second            // for what is left when the handler has returned
	outputQueue  = 64 << 10               // bytes that wait
	outputFrames = 4 * sdk.MaxOutputFrames
	outputPiece  = 2 << 10                  // bytes of text in one frame: six times that, the most that JSON makes of it, fits into a call
	outputRoom   = sdk.MaxOutputCall - 1024 // bytes of the frames in one call
)

// outputPort sends live output; an [sdk.Client] is one.
type outputPort interface {
	SendOutput(ctx context.Context, taskID string, output sdk.TaskOutput) error
}

// output is the live output of one attempt on its way to the service. What comes faster than it can be sent pushes out what waits longest,
// and while the service is away nothing waits at all. It is redacted when it is sent: who says it does not wait for that. A nil one takes
// nothing.
type output struct {
	port    outputPort
	task    string
	stage   int
	attempt int
	clean   *redact.Redactor
	running func() int      // attempts of the process
	news    chan struct{}   // something was taken; one pending notice is enough
	over    context.Context // ends when the handler has returned
	end     context.CancelFunc

	mu     sync.Mutex
	taken  heard // and not looked at yet
	inLine bool  // the last was a delta
	away   bool  // nothing waits
	closed bool

	// What follows is of the goroutine that sends.
	words  *redact.Stream // of all that is said
	frames []sdk.OutputFrame
	size   int  // bytes of text in frames
	whole  bool // nothing more will come
}

func newOutput(port outputPort, a *sdk.Assignment, clean *redact.Redactor, running func() int) *output {
	over, end := context.WithCancel(context.Background())
	return &output{
		port: port, task: a.Task.ID, stage: a.Stage, attempt: a.Attempt, clean: clean, running: running,
		news: make(chan struct{}, 1), over: over, end: end, words: clean.Stream(),
	}
}

// take queues frames. While nothing waits they are remembered all the same: the end of a secret may come when the service is back.
func (o *output) take(frames []sdk.OutputFrame) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	for _, f := range frames {
		if f.Delta != "" {
			o.taken.add(saying{kind: aDelta, text: f.Delta})
			o.inLine = true
		}
		if f.Text == "" && f.Tool == "" {
			continue
		}
		if o.inLine { // a line follows what was said in pieces
			o.taken.add(saying{kind: aLineEnd, text: "\n"})
			o.inLine = false
		}
		if f.Tool != "" {
			o.taken.add(saying{kind: aTool, text: sdk.Cut(o.clean.Part(f.Tool, 0, min(len(f.Tool), outputPiece)), outputPiece)})
		}
		if f.Text != "" {
			o.taken.add(saying{kind: aLine, text: f.Text + "\n"})
		}
	}
	if o.away {
		o.taken.pass()
	}
	notice(o.news)
}

// look makes frames of what was taken since it looked last. Lines that follow each other may be one secret, and so may what was passed
// over before them.
func (o *output) look() {
	o.mu.Lock()
	closed := o.closed
	passed, said := o.taken.all(closed)
	o.mu.Unlock()
	texts := make([]string, 0, len(said)+1)
	if passed != "" {
		texts = append(texts, passed)
	}
	for _, s := range said {
		texts = append(texts, s.spoken())
	}
	shown := o.words.AddAll(texts)[len(texts)-len(said):]
	for i, s := range said {
		switch s.kind {
		case aTool:
			o.add(sdk.OutputFrame{Tool: s.text})
		case aLine:
			o.add(sdk.OutputFrame{Text: strings.TrimSuffix(shown[i], "\n")})
		case aLineEnd:
			o.add(sdk.OutputFrame{Delta: strings.TrimSuffix(shown[i], "\n")})
		case aDelta:
			o.add(sdk.OutputFrame{Delta: shown[i]})
		}
	}
	if closed && !o.whole {
		o.add(sdk.OutputFrame{Delta: o.words.Flush()})
		o.whole = true
	}
}

// add queues a frame with one text, in pieces that fit into a call.
func (o *output) add(f sdk.OutputFrame) {
	for rest := strings.ToValidUTF8(f.Text+f.Tool+f.Delta, "\uFFFD"); rest != ""; {
		n := min(len(rest), outputPiece)
		for n < len(rest) && !utf8.RuneStart(rest[n]) {
			n--
		}
		piece := rest[:n]
		rest = rest[n:]
		switch {
		case f.Tool != "":
			f.Tool = piece
		case f.Text != "":
			f.Text = piece
		default:
			f.Delta = piece
		}
		o.push(f, len(piece))
		f = sdk.OutputFrame{} // what follows a piece is to be added to it
	}
}

// push queues a frame: deltas in a row become one, and what waits longest gives way.
func (o *output) push(f sdk.OutputFrame, size int) {
	o.size += size
	if last := len(o.frames) - 1; f.Delta != "" && last >= 0 && o.frames[last].Delta != "" && len(o.frames[last].Delta)+size <= outputPiece {
		o.frames[last].Delta += f.Delta
	} else {
		o.frames = append(o.frames, f)
	}
	for len(o.frames) > outputFrames || o.size > outputQueue {
		o.size -= sizeOf(o.frames[0])
		o.frames = o.frames[1:]
	}
}

func sizeOf(f sdk.OutputFrame) int { return len(f.Text) + len(f.Tool) + len(f.Delta) }

// batch takes the frames of the next call off the queue.
func (o *output) batch() []sdk.OutputFrame {
	o.look()
	n, room := 0, outputRoom
	for n < min(len(o.frames), sdk.MaxOutputFrames) {
		raw, err := json.Marshal(o.frames[n])
		if room -= len(raw) + 1; err != nil || room < 0 && n > 0 {
			break
		}
		n++
	}
	batch := o.frames[:n:n]
	for _, f := range batch {
		o.size -= sizeOf(f)
	}
	o.frames = o.frames[n:]
	return batch
}

// close takes no more frames: the handler has returned.
func (o *output) close() {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.end()
}

// run sends until the handler has returned and what was left then is sent, which takes [outputLast] at most, or ctx ends.
func (o *output) run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(o.over, func() { time.AfterFunc(outputLast, stop) })()
	for {
		batch := o.batch()
		if len(batch) > 0 {
			if !o.pause(ctx, o.send(ctx, batch)) {
				return
			}
			continue
		}
		select {
		case <-o.news:
			continue
		default:
		}
		select {
		case <-o.news:
		case <-ctx.Done():
			return
		case <-o.over.Done():
			if o.empty() {
				return
			}
		}
	}
}

// empty reports whether all that was said has been sent.
func (o *output) empty() bool { return o.whole && len(o.frames) == 0 }

func (o *output) send(ctx context.Context, batch []sdk.OutputFrame) error {
	call, cancel := context.WithTimeout(ctx, outputTry)
	defer cancel()
	return o.port.SendOutput(call, o.task, sdk.TaskOutput{Stage: o.stage, Attempt: o.attempt, Frames: batch})
}

// pause waits until the next call may go out; after one that failed nothing waits meanwhile. False is the end.
func (o *output) pause(ctx context.Context, failed error) bool {
	wait, over := max(outputEvery, time.Duration(o.running())*time.Second/outputCalls), o.over.Done()
	switch {
	case failed == nil:
		over = nil
	case errors.Is(failed, sdk.ErrConflict):
		wait = outputEarly
	default:
		wait = outputAway
	}
	o.absent(failed != nil)
	defer o.absent(false)
	select {
	case <-time.After(wait):
		return true
	case <-over:
		return false
	case <-ctx.Done():
		return false
	}
}

// absent says whether the service is away; what waited is dropped then.
func (o *output) absent(away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = away
	if away {
		o.taken.pass()
		o.frames, o.size = nil, 0
	}
}
