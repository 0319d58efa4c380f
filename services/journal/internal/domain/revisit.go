package domain

import (
	"context"
	"fmt"
	"slices"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// OpenRevisit is the key of debriefs by the last date, as YYYY-MM-DD, on which a
// revisit is due that is not done yet; empty when there is none.
const OpenRevisit = "open_revisit"

func lastOpenRevisit(body proto.Message) store.Value {
	last := ""
	for _, r := range body.(*journalv1.Debrief).GetRevisits() {
		if r.GetRevisitTime() == nil {
			last = max(last, localdate.Text(r.GetDueOn()))
		}
	}
	return last
}

// defaultRevisits are the dates on which a debrief that is completed on a date
// is looked at again: after 1 week, 1 month, 3 months and 1 year.
func defaultRevisits(completed *datepb.Date) []*journalv1.Revisit {
	return []*journalv1.Revisit{
		{DueOn: localdate.FromDays(localdate.Days(completed) + 7)}, {DueOn: localdate.AddMonths(completed, 1)},
		{DueOn: localdate.AddMonths(completed, 3)}, {DueOn: localdate.AddMonths(completed, 12)},
	}
}

// RevisitDebrief notes how it is by now: in the debrief, then beside the
// setback's own intensity. Called again with the same due date it changes what
// was noted.
func (d *Domain) RevisitDebrief(ctx context.Context, req *journalv1.RevisitDebriefRequest) (*journalv1.Debrief, error) {
	if err := localdate.CheckWhole("due_on", req.GetDueOn()); err != nil {
		return nil, err
	}
	cal, err := d.Calendar(ctx, resource.Owner(req.GetName()))
	if err != nil {
		return nil, err
	}
	done, err := d.Debriefs.Mutate(ctx, "revisited", req.GetName(), req.GetEtag(), func(b *journalv1.Debrief, now time.Time) error {
		if b.GetState() != typev1.DebriefState_DEBRIEF_STATE_COMPLETED {
			return fault.Precondition("DEBRIEF_NOT_COMPLETED", "a debrief is revisited once it is completed")
		}
		i := slices.IndexFunc(b.GetRevisits(), func(r *journalv1.Revisit) bool {
			if req.GetDueOn() != nil {
				return proto.Equal(r.GetDueOn(), req.GetDueOn())
			}
			return r.GetRevisitTime() == nil
		})
		switch {
		case i < 0 && req.GetDueOn() != nil:
			return fault.Invalid("due_on", "REVISIT_UNKNOWN", "must be a date on which a revisit is due")
		case i < 0: // beyond the schedule one may look at it again, too
			b.Revisits = append(b.Revisits, &journalv1.Revisit{DueOn: cal.Date(now)})
			i = len(b.Revisits) - 1
		}
		r := b.Revisits[i]
		r.RevisitTime, r.Intensity, r.Thought = timestamppb.New(now), req.GetIntensity(), req.GetThought()
		sortRevisits(b.Revisits)
		return nil
	})
	if err != nil || req.GetIntensity() == 0 {
		return done, err
	}
	_, err = d.Setbacks.Mutate(ctx, "revisited", parentName(req.GetName()), "", func(s *journalv1.Setback, now time.Time) error {
		s.IntensityNow, s.RevisitedOn = req.GetIntensity(), cal.Date(now)
		return nil
	})
	return done, err
}

// ScheduleDebriefRevisits replaces the revisits that are not done.
func (d *Domain) ScheduleDebriefRevisits(ctx context.Context, req *journalv1.ScheduleDebriefRevisitsRequest) (*journalv1.Debrief, error) {
	cal, err := d.Calendar(ctx, resource.Owner(req.GetName()))
	if err != nil {
		return nil, err
	}
	return d.Debriefs.Mutate(ctx, "rescheduled", req.GetName(), req.GetEtag(), func(b *journalv1.Debrief, now time.Time) error {
		today := cal.Date(now)
		kept := slices.DeleteFunc(b.GetRevisits(), func(r *journalv1.Revisit) bool { return r.GetRevisitTime() == nil })
		for i, date := range req.GetDates() {
			field := fmt.Sprintf("dates[%d]", i)
			if date == nil {
				return fault.Invalid(field, "REQUIRED", "is required")
			}
			if err := localdate.CheckWhole(field, date); err != nil {
				return err
			}
			if localdate.After(today, date) {
				return fault.Invalid(field, "DATE_IN_PAST", "must not lie in the past")
			}
			if slices.ContainsFunc(kept, func(r *journalv1.Revisit) bool { return proto.Equal(r.GetDueOn(), date) }) {
				return fault.Invalid(field, "DATE_REPEATED", "must not be there twice")
			}
			kept = append(kept, &journalv1.Revisit{DueOn: date})
		}
		sortRevisits(kept)
		b.Revisits = kept
		return nil
	})
}

func sortRevisits(revisits []*journalv1.Revisit) {
	slices.SortStableFunc(revisits, func(a, b *journalv1.Revisit) int { return localdate.Between(b.GetDueOn(), a.GetDueOn()) })
}
