package eventlog

// pops reports whether a record that was taken from the queue is the next one.
func (f *Follower) pops(r *Record) bool {
	f.queued.Add(-int64(len(r.Data)))
	return f.takes(r)
}

// offer gives a follower a record that its filter chooses, unless it missed one before. The tail calls it, one call at a time.
func (f *Follower) offer(r *Record) {
	if f.missed.Load() > 0 || !f.filter.match(r) {
		return
	}
	size := int64(len(r.Data))
	if f.queued.Add(size) <= followerBytes {
		select {
		case f.queue <- r:
			return
		default:
		}
	}
	f.queued.Add(-size)
	if r.Sequence > 0 {
		f.miss(r.Sequence) // which wakes it: it may have emptied the queue since it was full
	}
}

// miss says that the queue has nothing from a sequence on. The tail calls it.
func (f *Follower) miss(sequence uint64) {
	f.missed.CompareAndSwap(0, sequence)
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// resume empties the queue; from now on it holds everything. The tail calls it.
func (f *Follower) resume() {
	for {
		select {
		case r := <-f.queue:
			f.queued.Add(-int64(len(r.Data)))
		default:
			f.missed.Store(0)
			return
		}
	}
}

// fail ends a follower. The tail calls it, once.
func (f *Follower) fail(err error) {
	f.failed = err
	close(f.broken)
}
