package domain

import (
	"context"
	"slices"

	datepb "google.golang.org/genproto/googleapis/type/date"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// maxMemories is how many of each kind one day brings back.
const maxMemories = 20

// ago is one way to look back.
type ago struct{ weeks, months, years int32 }

// lookBacks are all of them, the nearest first.
var lookBacks = []ago{
	{weeks: 1}, {months: 1}, {months: 3}, {years: 1}, {years: 2}, {years: 3}, {years: 4}, {years: 5},
	{years: 6}, {years: 7}, {years: 8}, {years: 9}, {years: 10},
}

// before is the date that lies so long ago.
func (a ago) before(date *datepb.Date) *datepb.Date {
	if a.weeks > 0 {
		return localdate.FromDays(localdate.Days(date) - 7*int(a.weeks))
	}
	return localdate.AddMonths(date, -int(12*a.years+a.months))
}

// GetOnThisDay brings back what was written on this day some time ago.
func (d *Domain) GetOnThisDay(ctx context.Context, req *journalv1.GetOnThisDayRequest) (*journalv1.OnThisDay, error) {
	owner := resource.Owner(req.GetName())
	if req.GetName() != owner+"/onThisDay" {
		return nil, fault.Invalid("name", "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}/onThisDay")
	}
	if err := localdate.CheckWhole("date", req.GetDate()); err != nil {
		return nil, err
	}
	cal, err := d.Calendar(ctx, owner)
	if err != nil {
		return nil, err
	}
	out := &journalv1.OnThisDay{Name: req.GetName(), Date: req.GetDate()}
	if out.Date == nil {
		out.Date = cal.Date(d.now())
	}
	for _, back := range lookBacks {
		if out.Date.GetYear() <= back.years+1 {
			break
		}
		m := &journalv1.Memory{Date: back.before(out.GetDate()), WeeksAgo: back.weeks, MonthsAgo: back.months, YearsAgo: back.years}
		if err := d.remember(ctx, owner, cal, m); err != nil {
			return nil, err
		}
		out.Memories = append(out.Memories, m)
	}
	if err := d.leaveOutMuted(ctx, out); err != nil {
		return nil, err
	}
	out.Memories = slices.DeleteFunc(out.Memories, func(m *journalv1.Memory) bool {
		return len(m.GetSetbacks())+len(m.GetCheckIns())+len(m.GetGratitudes())+len(m.GetLessons())+
			len(m.GetReflections())+len(m.GetReframes())+len(m.GetStrengths()) == 0
	})
	return out, nil
}

// remember reads what belongs to a day.
func (d *Domain) remember(ctx context.Context, owner string, cal localdate.Calendar, m *journalv1.Memory) (err error) {
	after := localdate.FromDays(localdate.Days(m.GetDate()) + 1)
	from, until := store.Value(cal.Begin(m.GetDate()).UnixMilli()), store.Value(cal.Begin(after).UnixMilli())
	day, next := store.Value(localdate.Text(m.GetDate())), store.Value(localdate.Text(after))
	if m.Setbacks, err = d.Setbacks.Between(ctx, owner, "occurred_on", day, next, maxMemories); err != nil {
		return err
	}
	recorded, err := d.Setbacks.Between(ctx, owner, store.KeyCreateTime, from, until, maxMemories)
	if err != nil {
		return err
	}
	for _, s := range recorded {
		if s.GetOccurredOn() == nil {
			m.Setbacks = append(m.Setbacks, s)
		}
	}
	if m.CheckIns, err = d.CheckIns.Between(ctx, owner, "time", from, until, maxMemories); err != nil {
		return err
	}
	if m.Gratitudes, err = d.Gratitudes.Between(ctx, owner, "local_date", day, next, maxMemories); err != nil {
		return err
	}
	if m.Lessons, err = d.Lessons.Between(ctx, owner, store.KeyCreateTime, from, until, maxMemories); err != nil {
		return err
	}
	if m.Reflections, err = d.Reflections.Between(ctx, owner, "local_date", day, next, maxMemories); err != nil {
		return err
	}
	if m.Reframes, err = d.Reframes.Between(ctx, owner, store.KeyCreateTime, from, until, maxMemories); err != nil {
		return err
	}
	m.Strengths, err = d.Strengths.Between(ctx, owner, store.KeyCreateTime, from, until, maxMemories)
	return err
}

// leaveOutMuted drops muted setbacks and what refers to one.
func (d *Domain) leaveOutMuted(ctx context.Context, out *journalv1.OnThisDay) error {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, m := range out.GetMemories() {
		for _, x := range m.GetCheckIns() {
			add(x.GetSetback())
		}
		for _, x := range m.GetLessons() {
			add(x.GetSetback())
		}
		for _, x := range m.GetReflections() {
			add(x.GetSetback())
		}
		for _, x := range m.GetReframes() {
			add(x.GetSetback())
		}
	}
	setbacks, err := d.Setbacks.Batch(ctx, names)
	if err != nil {
		return err
	}
	muted := func(name string) bool { return setbacks[name].GetMuted() }
	for _, m := range out.GetMemories() {
		m.Setbacks = slices.DeleteFunc(m.Setbacks, func(x *journalv1.Setback) bool { return x.GetMuted() })
		m.CheckIns = slices.DeleteFunc(m.CheckIns, func(x *journalv1.CheckIn) bool { return muted(x.GetSetback()) })
		m.Lessons = slices.DeleteFunc(m.Lessons, func(x *journalv1.Lesson) bool { return muted(x.GetSetback()) })
		m.Reflections = slices.DeleteFunc(m.Reflections, func(x *journalv1.Reflection) bool { return muted(x.GetSetback()) })
		m.Reframes = slices.DeleteFunc(m.Reframes, func(x *journalv1.Reframe) bool { return muted(x.GetSetback()) })
	}
	return nil
}
