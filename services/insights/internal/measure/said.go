package measure

import "math"

// said gives Metric.Facts of what lies in a column.
func said[T any](in func(*Look) *column[T], number func(T) uint64) func(*Look, int32, uint64, *[MaxWeeks]uint64) {
	return func(l *Look, row int32, weeks uint64, to *[MaxWeeks]uint64) {
		mask, values := in(l).of(row)
		for _, value := range values {
			var at int
			if at, mask = next(mask); weeks&(1<<at) != 0 {
				to[at] = number(value)
			}
		}
	}
}

var (
	saidMood      = said(func(l *Look) *column[float64] { return &l.mood }, math.Float64bits)
	saidSteps     = said(func(l *Look) *column[uint8] { return &l.steps }, func(days uint8) uint64 { return uint64(days) })
	saidLessons   = said(func(l *Look) *column[lessons] { return &l.lessons }, func(x lessons) uint64 { return uint64(x.captured)<<32 | uint64(x.applied) })
	saidPractices = said(func(l *Look) *column[uint32] { return &l.practices }, func(set uint32) uint64 { return uint64(set) })
	saidKinds     = said(func(l *Look) *column[setbacks] { return &l.setbacks }, func(x setbacks) uint64 { return uint64(x.kinds) })
)

// saidTakingPart is whether somebody did anything.
func saidTakingPart(l *Look, row int32, weeks uint64, to *[MaxWeeks]uint64) {
	for at, left := next(weeks); at < MaxWeeks; at, left = next(left) {
		to[at] = l.active[row] >> at & 1
	}
}

// saidRecovery is when the latest setback happened, and, once it was recovered from, how
// long it lasted: as long as it is open it says the same on every day.
func saidRecovery(l *Look, row int32, weeks uint64, to *[MaxWeeks]uint64) {
	if at, x := latest(l, row, weeks); x != nil {
		if to[at] = uint64(l.asOf-x.days) << 1; x.recovered {
			to[at] = uint64(x.days)<<1 | 1
		}
	}
}

// latest is the latest setback of somebody in some weeks, and its week; nil: there is none.
func latest(l *Look, row int32, weeks uint64) (at int, found *setbacks) {
	mask, values := l.setbacks.of(row)
	for j := range values {
		var week int
		if week, mask = next(mask); weeks&(1<<week) != 0 {
			at, found = week, &values[j]
		}
	}
	return at, found
}

// recoveredBy is 1 once the latest setback was recovered from.
func recoveredBy(l *Look, row int32, weeks uint64) uint32 {
	if _, x := latest(l, row, weeks); x != nil && x.recovered {
		return 1
	}
	return 0
}

// appliedBy is how many lessons were applied, as far as 255.
func appliedBy(l *Look, row int32, weeks uint64) uint32 {
	return uint32(min(lessonsOf(l, row, weeks).applied, math.MaxUint8))
}
