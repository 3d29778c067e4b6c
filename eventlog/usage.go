package eventlog

import (
	"context"
	"strings"
)

// Usage is what the log holds, of all projects.
type Usage struct {
	Streams int    // those of projects, and the two that they share
	Events  uint64 // in the streams of projects
	Bytes   uint64 // on disk, of one copy
}

// Usage counts what the log holds. It asks for every stream, and is for people who look once.
func (l *Log) Usage(ctx context.Context) (Usage, error) {
	call, cancel := l.during(ctx, callTimeout)
	defer cancel()
	var u Usage
	streams := l.js.ListStreams(call)
	for s := range streams.Info() {
		of := strings.HasPrefix(s.Config.Name, streamPrefix)
		if !of && s.Config.Name != deadStream && s.Config.Name != fenceStream {
			continue // another program's
		}
		u.Streams++
		u.Bytes += s.State.Bytes
		if of {
			u.Events += s.State.Msgs
		}
	}
	return u, fault(ctx, streams.Err())
}
