package workers

import "time"

// moment is a point in time by both clocks. The monotonic one stands still while the machine is suspended; the wall clock goes on, but it
// can be set.
type moment struct{ awake, wall time.Time }

func thisMoment() moment {
	now := time.Now()
	return moment{awake: now, wall: now.Round(0)}
}

// within reports whether less than d has passed since m, by either clock. A wall clock that went back says nothing, so it is false then.
func (m moment) within(d time.Duration) bool {
	now := thisMoment()
	wall := now.wall.Sub(m.wall)
	return now.awake.Sub(m.awake) < d && wall >= 0 && wall < d
}
