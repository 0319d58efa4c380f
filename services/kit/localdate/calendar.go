package localdate

import (
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/timeofday"

	"github.com/rebound-hq/rebound/services/kit/fault"
)

// MaxDayStart is how late after midnight a day may begin.
const MaxDayStart = 12 * time.Hour

// Calendar is how a person counts days: where they are, each day beginning some
// time after midnight. The zero Calendar counts in UTC from midnight.
type Calendar struct {
	// Zone is where the person is; nil: UTC.
	Zone *time.Location
	// DayStart is when a day begins, by the clock on the wall: 0 to MaxDayStart.
	DayStart time.Duration
}

// CalendarOf gives the calendar of a zone by its IANA name and of a day that
// begins some minutes after midnight. A zone that is not known, or was once and
// is no more, counts as UTC.
func CalendarOf(zone string, dayStartMinutes int32) Calendar {
	c := Calendar{Zone: time.UTC, DayStart: min(max(0, time.Duration(dayStartMinutes)*time.Minute), MaxDayStart)}
	if loaded, err := CheckZone("", zone); err == nil {
		c.Zone = loaded
	}
	return c
}

// In is the same calendar in another zone.
func (c Calendar) In(zone *time.Location) Calendar {
	c.Zone = zone
	return c
}

func (c Calendar) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// Date is the day that an instant belongs to: the last one that has begun. Later
// instants never belong to earlier days, whatever the clock on the wall does.
func (c Calendar) Date(t time.Time) *datepb.Date {
	on := Days(Of(t, c.zone()))
	for day := on + 1; day > on-1; day-- {
		if d := FromDays(day); !c.Begin(d).After(t) {
			return d
		}
	}
	return FromDays(on - 1)
}

// Begin is the instant at which a day begins: the first at which the clock on the
// wall shows DayStart, or more where it leaves that out, and the first of two
// where it shows it twice.
func (c Calendar) Begin(d *datepb.Date) time.Time {
	wanted := midnight(d).Add(c.DayStart)
	t := time.Date(wanted.Year(), wanted.Month(), wanted.Day(), wanted.Hour(), wanted.Minute(), 0, 0, c.zone())
	since, until := t.ZoneBounds()
	switch shown := wall(t); {
	case shown.After(wanted):
		return since
	case shown.Before(wanted):
		return until
	}
	if since.IsZero() {
		return t
	}
	// Before the last change the clock may have shown the same.
	_, offset := since.Add(-1).Zone()
	earlier := wanted.Add(-time.Duration(offset) * time.Second)
	if earlier.Before(since) {
		return earlier.In(c.zone())
	}
	return t
}

// wall is what the clock on the wall shows, as if it were UTC.
func wall(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}

// Minutes is a time of day in minutes after midnight; none is midnight.
func Minutes(at *timeofday.TimeOfDay) int32 { return at.GetHours()*60 + at.GetMinutes() }

// CheckDayStart says whether a day can begin at a time of day: 00:00 to 12:00, in
// whole minutes; none is good. Errors are faults on the field.
func CheckDayStart(field string, at *timeofday.TimeOfDay) error {
	if at == nil {
		return nil
	}
	if at.GetHours() < 0 || at.GetHours() > 12 || at.GetMinutes() < 0 || at.GetMinutes() > 59 || at.GetSeconds() != 0 || at.GetNanos() != 0 ||
		time.Duration(Minutes(at))*time.Minute > MaxDayStart {
		return fault.Invalid(field, "DAY_START_INVALID", "must be a time from 00:00 to 12:00, in hours and minutes")
	}
	return nil
}
