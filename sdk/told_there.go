package sdk

// maxToldThere is how many events of one position are known again.
const maxToldThere = 10_000

// toldThere are the events that were told since the position of a stream moved, by what they are known by: where the stream is cut meanwhile
// they are told again. Of more than maxToldThere some are answered again. An event that is like one of before in all that it is known by, and
// is told first on a later connection, is taken for that.
type toldThere[K comparable] struct {
	at   uint64
	conn *connection
	told map[K]int // how often it was answered
	here map[K]int // and how often this connection has told it
}

// isNew reports whether an event was not answered yet at the stream's position, and enters it.
func (t *toldThere[K]) isNew(f *follow, key K) bool {
	if t.told == nil || f.at != t.at {
		t.at, t.told, t.here = f.at, map[K]int{}, map[K]int{}
	}
	if f.conn != t.conn {
		t.conn = f.conn
		clear(t.here)
	}
	times := t.told[key]
	if times == 0 && len(t.told) == maxToldThere {
		return true
	}
	t.here[key]++
	if t.here[key] <= times {
		return false
	}
	t.told[key]++
	return true
}
