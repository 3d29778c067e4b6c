package eventlog

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// BucketConfig is a bucket of keys and values beside the events.
type BucketConfig struct {
	Name        string // of letters, digits and _; no other bucket's
	Description string
	MaxBytes    int64 // of all values; more is refused as unavailable. An external NATS sets them aside
	MaxValue    int32 // of one
	// Expire is how long a value is kept after it was put. Default 0: for good.
	Expire time.Duration
	// Memory keeps the values in memory: they are gone when NATS is started anew.
	Memory bool
}

// markerAge is how long a bucket remembers that a value was removed.
const markerAge = time.Hour

// Bucket keeps the newest value of each key in JetStream's key-value store. Keys are words of letters, digits, _ and -, joined by
// dots. It is safe for concurrent use.
type Bucket struct {
	log *Log
	cfg BucketConfig
}

// Entry is the value of a key. Value is nil where there is none; then Revision is still what [Bucket.Replace] asks for.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
}

// Bucket is a bucket of the log's NATS. It calls nobody: the first use makes the bucket where there is none.
func (l *Log) Bucket(cfg BucketConfig) *Bucket { return &Bucket{log: l, cfg: cfg} }

func (b *Bucket) stream() string            { return "KV_" + b.cfg.Name }
func (b *Bucket) subject(key string) string { return "$KV." + b.cfg.Name + "." + key }

// Get answers what a key's newest value is, as the bucket's leader knows it.
func (b *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	if _, err := b.ensure(ctx); err != nil {
		return Entry{}, fault(ctx, err)
	}
	r, err := b.log.look(ctx, b.stream(), ask{Last: b.subject(key)})
	if err != nil {
		return Entry{}, b.fault(ctx, err)
	}
	if r == nil {
		return Entry{Key: key}, nil
	}
	e := Entry{Key: key, Revision: r.Sequence}
	if len(r.Data) > 0 { // a marker of a removal has none
		e.Value = r.Data
	}
	return e, nil
}

// Put sets a key's value, whatever it was. value is not empty.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	return b.use(ctx, func(ctx context.Context, kv jetstream.KeyValue) error {
		_, err := kv.Put(ctx, key, value)
		return err
	})
}

// Replace sets a key's value, which is not empty, if it is still that of a revision, 0 for a key that never had one. Otherwise it is a
// conflict.
func (b *Bucket) Replace(ctx context.Context, key string, value []byte, revision uint64) error {
	return b.use(ctx, func(ctx context.Context, kv jetstream.KeyValue) error {
		_, err := kv.Update(ctx, key, value, revision)
		return moved(err)
	})
}

// Remove removes a key's value if it is still that of a revision. Otherwise it is a conflict.
func (b *Bucket) Remove(ctx context.Context, key string, revision uint64) error {
	return b.use(ctx, func(ctx context.Context, kv jetstream.KeyValue) error {
		opts := []jetstream.KVDeleteOpt{jetstream.LastRevision(revision)}
		if b.cfg.Expire == 0 {
			opts = append(opts, jetstream.PurgeTTL(markerAge))
		}
		return moved(kv.Purge(ctx, key, opts...))
	})
}

// Erase removes the values of the keys that a pattern chooses, as [Bucket.List] does, whatever they are, and that there were any: a key that is
// put after that begins anew. For a bucket whose values nobody replaces by revision.
func (b *Bucket) Erase(ctx context.Context, pattern string) error {
	return b.use(ctx, func(ctx context.Context, _ jetstream.KeyValue) error {
		s, err := b.log.js.Stream(ctx, b.stream())
		if err != nil {
			return err
		}
		return s.Purge(ctx, jetstream.WithPurgeSubject(b.subject(pattern)))
	})
}

// List answers the values of the keys that a pattern chooses, in no order: * stands for one word, > for all the rest. It can be a moment
// behind.
func (b *Bucket) List(ctx context.Context, pattern string) (list []Entry, err error) {
	err = b.use(ctx, func(ctx context.Context, kv jetstream.KeyValue) error {
		list = nil
		w, err := kv.Watch(ctx, pattern, jetstream.IgnoreDeletes())
		if err != nil {
			return newer(err)
		}
		defer func() { _ = w.Stop() }() // it ends with ctx as well
		for {
			select {
			case e, open := <-w.Updates():
				if !open {
					return nats.ErrTimeout
				}
				if e == nil {
					return nil
				}
				list = append(list, Entry{Key: e.Key(), Value: e.Value(), Revision: e.Revision()})
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return list, err
}

// newer makes of an error of the client library's older interface, by which it watches, one of the newer.
func newer(err error) error {
	if errors.Is(err, nats.ErrStreamNotFound) {
		return jetstream.ErrStreamNotFound
	}
	if old, ok := errors.AsType[*nats.APIError](err); ok && old != nil {
		return &jetstream.APIError{Code: old.Code, ErrorCode: jetstream.ErrorCode(old.ErrorCode), Description: old.Description}
	}
	return err
}

// moved makes a conflict of a value that is not the expected one any more.
func moved(err error) error {
	if isMoved(err) {
		return &sdk.Error{Code: sdk.CodeConflict, Message: "another one changed the same at the same time; try again", Cause: err}
	}
	return err
}

// use does something with the bucket, once more where it turned out to have gone.
func (b *Bucket) use(ctx context.Context, do func(context.Context, jetstream.KeyValue) error) error {
	for again := false; ; again = true {
		err := b.once(ctx, do)
		if err == nil || again || !isGone(err) && !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, jetstream.ErrNoStreamResponse) {
			return b.fault(ctx, err)
		}
		b.forget()
	}
}

func (b *Bucket) once(ctx context.Context, do func(context.Context, jetstream.KeyValue) error) error {
	kv, err := b.ensure(ctx)
	if err != nil {
		return err
	}
	call, cancel := b.log.during(ctx, callTimeout)
	defer cancel()
	return do(call, kv)
}

// fault is an error as the callers get it; a bucket that has gone is made anew by the next.
func (b *Bucket) fault(ctx context.Context, err error) error {
	if isGone(err) {
		b.forget()
		return unavailable("the event log's server has lost what was kept there; try again")
	}
	return fault(ctx, err)
}

func (b *Bucket) forget() {
	b.log.mu.Lock()
	defer b.log.mu.Unlock()
	delete(b.log.buckets, b.cfg.Name)
}

// ensure answers the bucket, with the configuration of this process; it makes it where there is none.
func (b *Bucket) ensure(ctx context.Context) (jetstream.KeyValue, error) {
	l := b.log
	l.mu.Lock()
	kv, over := l.buckets[b.cfg.Name], l.life.Err() != nil
	l.mu.Unlock()
	switch {
	case over:
		return nil, closed()
	case kv != nil:
		return kv, nil
	case !l.nc.IsConnected():
		return nil, nats.ErrDisconnected
	}
	call, cancel := l.during(ctx, callTimeout)
	defer cancel()
	cfg := jetstream.KeyValueConfig{
		Bucket: b.cfg.Name, Description: b.cfg.Description, MaxBytes: b.cfg.MaxBytes, MaxValueSize: b.cfg.MaxValue, TTL: b.cfg.Expire,
		Replicas: l.cfg.Replicas, Storage: jetstream.FileStorage, History: 1,
	}
	if b.cfg.Memory {
		cfg.Storage = jetstream.MemoryStorage
	}
	if b.cfg.Expire == 0 {
		cfg.LimitMarkerTTL = markerAge
	}
	kv, err := l.js.CreateOrUpdateKeyValue(call, cfg)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buckets[b.cfg.Name] = kv
	return kv, nil
}
