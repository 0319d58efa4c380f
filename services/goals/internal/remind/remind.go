// Package remind is when reminders come: the time of a day where a person is,
// outside of quiet hours, and less often when they are ignored. It is pure; days
// count from 1970-01-01.
package remind

import (
	"time"

	"github.com/rebound-hq/rebound/services/kit/localdate"
)

const minutesPerDay = 24 * 60

// Timing is when on a day to remind.
type Timing struct {
	// Calendar is how the person counts days.
	Calendar localdate.Calendar
	// At is the time of day, QuietFrom and QuietUntil when not to remind: minutes
	// after midnight, by the clock on the wall. Both the same: never quiet.
	At, QuietFrom, QuietUntil int
}

// On is when to remind on a day of the person. A time before the person's day
// begins comes at the end of that day, after midnight.
func (t Timing) On(day int) time.Time {
	if time.Duration(t.At)*time.Minute < t.Calendar.DayStart {
		day++
	}
	return t.Outside(t.clock(day, t.At))
}

// clock is when the clock on the wall shows so many minutes after midnight.
func (t Timing) clock(date, minutes int) time.Time {
	c := localdate.Calendar{Zone: t.Calendar.Zone, DayStart: time.Duration(minutes) * time.Minute}
	return c.Begin(localdate.FromDays(date)).UTC()
}

// Outside is the instant itself, or when the quiet hours end that it falls into.
func (t Timing) Outside(at time.Time) time.Time {
	zone := t.Calendar.Zone
	if zone == nil {
		zone = time.UTC
	}
	local := at.In(zone)
	minute := local.Hour()*60 + local.Minute()
	// How long it has been quiet, and how long it is quiet in all.
	since := (minute - t.QuietFrom + minutesPerDay) % minutesPerDay
	if since >= (t.QuietUntil-t.QuietFrom+minutesPerDay)%minutesPerDay {
		return at
	}
	date := localdate.Days(localdate.Of(at, zone))
	if t.QuietUntil <= minute {
		date++
	}
	return t.clock(date, t.QuietUntil)
}

// Passed is the last day of the person whose time to remind has come.
func (t Timing) Passed(now time.Time) int {
	day := localdate.Days(t.Calendar.Date(now)) + 1
	for t.On(day).After(now) {
		day--
	}
	return day
}

// Pause is how many days lie between two days of reminding, when those on so many
// days in a row were ignored: 1, from 3 on 2, from 6 on 4, from 9 on 7.
func Pause(ignored int) int {
	return [...]int{1, 2, 4, 7}[min(max(ignored, 0)/3, 3)]
}
