package eventlog

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

func BenchmarkAppend(b *testing.B) {
	for _, publishers := range []int{1, 10, 50} {
		for _, size := range []int{1, 100} {
			b.Run(fmt.Sprintf("publishers=%d/events=%d", publishers, size), func(b *testing.B) {
				l, err := Open(b.Context(), Config{Dir: b.TempDir(), Logger: quiet()})
				if err != nil {
					b.Fatal(err)
				}
				defer func() {
					if err := l.Close(); err != nil {
						b.Error(err)
					}
				}()
				var n atomic.Int64
				b.SetParallelism(publishers)
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						events := make([]sdk.Event, size)
						for i := range events {
							events[i] = anEvent(fmt.Sprint(n.Add(1)), "x.y")
						}
						if _, err := l.Append(b.Context(), "p", events); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
