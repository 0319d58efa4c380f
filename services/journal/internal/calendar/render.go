package calendar

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

	ics "github.com/arran4/golang-ical"
	datepb "google.golang.org/genproto/googleapis/type/date"

	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// kind is what an entry stands for, as it reads where titles are left out.
type kind string

const (
	debriefSlot    kind = "Debrief"
	debriefRevisit kind = "Debrief revisit"
	lessonReview   kind = "Lesson review"
	stepDue        kind = "Step"
)

// entry is one thing in a calendar: a slot when it has a start, or else a day.
type entry struct {
	kind kind
	// id tells it from all others, for ever. It is never shown.
	id string
	// title is in the person's own words.
	title string
	// start and length are those of a slot.
	start  time.Time
	length time.Duration
	// day is the local date of what takes no time of it.
	day *datepb.Date
	// series is how it repeats; without a rule it does not.
	series series
	// created and updated are its document's times.
	created, updated time.Time
}

func (e entry) on(day *datepb.Date) entry {
	e.day = day
	return e
}

// begins is when it begins, in seconds since 1970: days as if in UTC.
func (e entry) begins() int64 {
	if e.day != nil {
		return midnight(e.day, time.UTC).Unix()
	}
	return e.start.Unix()
}

// look is how a calendar looks.
type look struct {
	zone   *time.Location
	titles bool
	// uid turns an entry's id into one that tells nothing.
	uid func(id string) (string, error)
}

const (
	// refresh is how often programs are asked to look again (RFC 7986, and what
	// Outlook reads).
	refresh = "PT1H"
	// maxTitle is how many characters of a title are shown.
	maxTitle = 200
)

// render writes a calendar (RFC 5545). The same entries give the same text, so
// that programs can tell whether anything has changed: DTSTAMP is when an entry's
// document was last written, as it is without a METHOD.
func render(entries []entry, l look) ([]byte, error) {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begins(), b.begins()), cmp.Compare(a.id, b.id))
	})
	c := ics.NewCalendarFor("Rebound")
	c.SetProductId("-//Rebound//Calendar//EN")
	c.SetCalscale("GREGORIAN")
	c.SetName("Rebound")
	c.SetXWRTimezone(l.zone.String())
	c.SetRefreshInterval(refresh)
	c.SetXPublishedTTL(refresh)
	for _, e := range entries {
		uid, err := l.uid(e.id)
		if err != nil {
			return nil, err
		}
		e.add(c.AddEvent(uid+"@"+fault.Domain), l.titles)
	}
	var out bytes.Buffer
	err := c.SerializeTo(&out, ics.WithNewLineWindows)
	return out.Bytes(), err
}

// add writes an entry into an event. Slots are written in UTC: an instant is right
// whatever a program knows of time zones and their changes, where a local time
// needs them told. Days have neither time nor zone, and leave one's time free.
func (e entry) add(v *ics.VEvent, titles bool) {
	v.SetDtStampTime(e.updated)
	v.SetCreatedTime(e.created)
	v.SetLastModifiedAt(e.updated)
	// Grows with every change, without being counted: seconds between making and
	// last writing.
	v.SetSequence(int(e.updated.Sub(e.created) / time.Second))
	v.SetClass(ics.ClassificationPrivate)
	v.SetSummary(e.summary(titles))
	if e.day == nil {
		v.SetStartAt(e.start)
		v.SetEndAt(e.start.Add(e.length))
		v.SetTimeTransparency(ics.TransparencyOpaque)
		return
	}
	v.SetAllDayStartAt(midnight(e.day, time.UTC))
	v.SetAllDayEndAt(midnight(localdate.FromDays(localdate.Days(e.day)+1), time.UTC))
	v.SetTimeTransparency(ics.TransparencyTransparent)
	if e.series.rule == "" {
		return
	}
	v.AddRrule(e.series.rule)
	for _, day := range e.series.except {
		v.AddExdate(strings.ReplaceAll(localdate.Text(day), "-", ""), ics.WithValue(string(ics.ValueDataTypeDate)))
	}
}

// summary is one line, without what would end it.
func (e entry) summary(titles bool) string {
	if !titles {
		return string(e.kind)
	}
	line := strings.Join(strings.FieldsFunc(e.title, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }), " ")
	if short := []rune(line); len(short) > maxTitle {
		line = string(short[:maxTitle]) + "…"
	}
	if line == "" {
		return string(e.kind)
	}
	return string(e.kind) + ": " + line
}
