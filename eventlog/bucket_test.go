package eventlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

func keysOf(t *testing.T, b *Bucket, pattern string) string {
	t.Helper()
	list, err := b.List(bounded(t), pattern)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range list {
		found = append(found, e.Key+"="+string(e.Value))
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

func (b *Bucket) must(t *testing.T, key string) Entry {
	t.Helper()
	e, err := b.Get(bounded(t), key)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestBucket(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	b := l.Bucket(BucketConfig{Name: "things", MaxBytes: 1 << 20, MaxValue: 1 << 10})
	if got := keysOf(t, b, ">"); got != "" {
		t.Errorf("at first there is %s", got)
	}
	if e := b.must(t, "a.x"); e.Value != nil || e.Revision != 0 {
		t.Errorf("%+v", e)
	}
	for _, key := range []string{"a.x", "a.y", "b.x", "b.x.z"} {
		if err := b.Put(bounded(t), key, []byte(key[:1])); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{">": "a.x=a a.y=a b.x.z=b b.x=b", "a.*": "a.x=a a.y=a", "*.x": "a.x=a b.x=b", "b.>": "b.x.z=b b.x=b", "*.*.*": "b.x.z=b", "c.*": ""} {
		if got := keysOf(t, b, pattern); got != want {
			t.Errorf("%s has %q, want %q", pattern, got, want)
		}
	}
	before := b.must(t, "a.x")
	if err := b.Replace(bounded(t), "a.x", []byte("new"), before.Revision); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"replaced meanwhile": b.Replace(bounded(t), "a.x", []byte("old"), before.Revision), "not there any more": b.Remove(bounded(t), "a.x", before.Revision),
		"there already": b.Replace(bounded(t), "a.y", []byte("old"), 0), "not there": b.Replace(bounded(t), "c.x", []byte("old"), 7),
	} {
		if !errors.Is(err, sdk.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e := b.must(t, "a.x"); string(e.Value) != "new" {
		t.Errorf("%+v", e)
	}
	if err := b.Remove(bounded(t), "a.x", b.must(t, "a.x").Revision); err != nil {
		t.Fatal(err)
	}
	gone := b.must(t, "a.x")
	if got := keysOf(t, b, "a.*"); gone.Value != nil || got != "a.y=a" {
		t.Errorf("removed: %+v, %s", gone, got)
	}
	if err := b.Replace(bounded(t), "a.x", []byte("again"), gone.Revision); err != nil {
		t.Error(err)
	}
	if err := b.Put(bounded(t), "large", make([]byte, 2<<10)); err == nil {
		t.Error("a value larger than the largest is kept")
	}
}

// TestBucketOfSeveral: of those who replace one value at the same time one does.
func TestBucketOfSeveral(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	cfg := BucketConfig{Name: "things", MaxBytes: 1 << 20, MaxValue: 1 << 10}
	var wait sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 8 {
		wait.Go(func() {
			err := l.Bucket(cfg).Replace(bounded(t), "one", fmt.Appendf(nil, "%d", i), 0)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !errors.Is(err, sdk.ErrConflict):
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if won != 1 {
		t.Errorf("%d have made it", won)
	}
}

// TestBucketThatIsRemoved: an operator removes it; it is made anew.
func TestBucketThatIsRemoved(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	b := l.Bucket(BucketConfig{Name: "things", MaxBytes: 1 << 20, MaxValue: 1 << 10, Memory: true, Expire: time.Hour})
	put := func() {
		t.Helper()
		if err := b.Put(bounded(t), "a", []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	remove := func() {
		t.Helper()
		if err := l.js.DeleteKeyValue(bounded(t), "things"); err != nil {
			t.Fatal(err)
		}
	}
	put()
	remove()
	put()
	remove()
	if got := keysOf(t, b, ">"); got != "" {
		t.Errorf("there is %s", got)
	}
	put()
	remove()
	if _, err := b.Get(bounded(t), "a"); !errors.Is(err, sdk.ErrUnavailable) {
		t.Errorf("a look at a bucket that has gone: %v", err)
	}
	if e := b.must(t, "a"); e.Value != nil {
		t.Errorf("%+v", e)
	}
}

func TestBucketForgets(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	b := l.Bucket(BucketConfig{Name: "things", MaxBytes: 1 << 20, MaxValue: 1 << 10, Memory: true, Expire: 200 * time.Millisecond})
	if err := b.Put(bounded(t), "a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	ctx := bounded(t)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for b.must(t, "a").Value != nil {
		select {
		case <-ctx.Done():
			t.Fatal("it is there for ever")
		case <-again.C:
		}
	}
}

func TestBucketOfAClosedLog(t *testing.T) {
	t.Parallel()
	l, err := Open(t.Context(), Config{Dir: t.TempDir(), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	b := l.Bucket(BucketConfig{Name: "things", MaxBytes: 1 << 20, MaxValue: 1 << 10})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"put": b.Put(bounded(t), "a", []byte("1")), "get": failure(b.Get(bounded(t), "a")), "list": failure(b.List(bounded(t), ">"))} {
		if !errors.Is(err, sdk.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func failure[T any](_ T, err error) error { return err }
