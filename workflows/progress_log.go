package workflows

import "github.com/rolecall-dev/rolecall/sdk"

// How much of a task's progress its run keeps.
const (
	firstProgress  = 20
	newestProgress = 200
)

// progressLog keeps the first 20 and the newest 200 of what was reported.
type progressLog struct {
	first  []sdk.Progress
	newest []sdk.Progress
}

// add enters a progress; false when it is the last one once more.
func (l *progressLog) add(p sdk.Progress) bool {
	if last, ok := l.last(); ok && sameProgress(last, p) {
		return false
	}
	if len(l.first) < firstProgress {
		l.first = append(l.first, p)
		return true
	}
	l.newest = append(l.newest, p)
	if len(l.newest) >= 2*newestProgress {
		l.newest = append([]sdk.Progress(nil), l.newest[len(l.newest)-newestProgress:]...)
	}
	return true
}

func (l *progressLog) last() (sdk.Progress, bool) {
	switch {
	case len(l.newest) > 0:
		return l.newest[len(l.newest)-1], true
	case len(l.first) > 0:
		return l.first[len(l.first)-1], true
	default:
		return sdk.Progress{}, false
	}
}

// list answers what is kept, oldest first.
func (l *progressLog) list() []sdk.Progress {
	newest := l.newest[max(0, len(l.newest)-newestProgress):]
	return append(append(make([]sdk.Progress, 0, len(l.first)+len(newest)), l.first...), newest...)
}

// sameProgress reports whether a worker told the same progress twice: by signal and with its result.
func sameProgress(a, b sdk.Progress) bool {
	same := a.At.Equal(b.At)
	a.At = b.At
	return same && a == b
}
