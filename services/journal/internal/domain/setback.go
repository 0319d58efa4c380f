package domain

import (
	"context"
	"slices"
	"time"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

func (d *Domain) setbacks() resource.Type[*journalv1.Setback] {
	return resource.Type[*journalv1.Setback]{
		Filter:   []string{"area", "failure_kind", "state", "intensity", "occurred_on", "recovered_on", "tags", "muted"},
		Order:    []string{"create_time", "occurred_on"},
		Children: []string{"debriefs"},
		Decide:   d.decideSetback,
	}
}

func (d *Domain) decideSetback(ctx context.Context, c resource.Change[*journalv1.Setback]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("recorded", nil), nil
	}
	if c.Created() {
		c.New.State = typev1.SetbackState_SETBACK_STATE_OPEN
	}
	cal, err := d.Calendar(ctx, c.Owner)
	if err != nil {
		return nil, err
	}
	today := cal.Date(c.Now)
	if err := localdate.CheckNotInFuture("setback.occurred_on", c.New.OccurredOn, today); err != nil {
		return nil, err
	}
	if c.New.OccurredOn != nil && c.New.RecoveredOn != nil && localdate.After(c.New.OccurredOn, c.New.RecoveredOn) {
		return nil, fault.Invalid("recovered_on", "DATE_BEFORE_SETBACK", "must not be before the setback's occurred_on")
	}
	return c.Event("recorded", &eventsv1.Event{Data: &eventsv1.Event_Setback{Setback: setbackFacts(c.New, c.Now, cal)}}), nil
}

// setbackFacts is what others may know. A setback without a date counts from
// the day it was recorded, so that times to recovery can be told.
func setbackFacts(s *journalv1.Setback, now time.Time, cal localdate.Calendar) *eventsv1.SetbackFacts {
	f := &eventsv1.SetbackFacts{
		Area: s.Area, FailureKind: s.FailureKind, OccurredOn: s.OccurredOn,
		Intensity: s.Intensity, Feelings: s.Feelings, State: s.State, RecoveredOn: s.RecoveredOn,
	}
	if f.OccurredOn == nil {
		if s.CreateTime != nil {
			now = s.CreateTime.AsTime()
		}
		f.OccurredOn = cal.Date(now)
		if f.RecoveredOn != nil && localdate.After(f.OccurredOn, f.RecoveredOn) {
			f.OccurredOn = f.RecoveredOn
		}
	}
	seen := map[typev1.FactorKind]bool{}
	for _, factor := range s.Factors {
		if !seen[factor.Kind] {
			seen[factor.Kind] = true
			f.Factors = append(f.Factors, factor.Kind)
		}
	}
	return f
}

// CloseSetback gives permission to move on: after a debrief, or knowingly without.
func (d *Domain) CloseSetback(ctx context.Context, req *journalv1.CloseSetbackRequest) (*journalv1.Setback, error) {
	debriefed := req.GetWaiveDebrief()
	if !debriefed {
		if _, err := d.Setbacks.Fetch(ctx, req.GetName()); err != nil {
			return nil, err
		}
		debriefs, err := d.Debriefs.All(ctx, req.GetName())
		if err != nil {
			return nil, err
		}
		debriefed = slices.ContainsFunc(debriefs, func(b *journalv1.Debrief) bool {
			return b.GetState() == typev1.DebriefState_DEBRIEF_STATE_COMPLETED
		})
	}
	return d.Setbacks.Mutate(ctx, "closed", req.GetName(), req.GetEtag(), func(s *journalv1.Setback, _ time.Time) error {
		switch s.State {
		case typev1.SetbackState_SETBACK_STATE_CLOSED:
			return nil
		case typev1.SetbackState_SETBACK_STATE_RECOVERED:
			return fault.Precondition("SETBACK_RECOVERED", "a setback one has recovered from needs no closing")
		}
		if !debriefed {
			return fault.Precondition("DEBRIEF_WANTED", "a setback is closed after a completed debrief, or with waive_debrief")
		}
		s.State = typev1.SetbackState_SETBACK_STATE_CLOSED
		s.ClosingNote = req.GetNote()
		return nil
	})
}

// RecoverSetback says that the person is up again.
func (d *Domain) RecoverSetback(ctx context.Context, req *journalv1.RecoverSetbackRequest) (*journalv1.Setback, error) {
	cal, err := d.Calendar(ctx, resource.Owner(req.GetName()))
	if err != nil {
		return nil, err
	}
	return d.Setbacks.Mutate(ctx, "recovered", req.GetName(), req.GetEtag(), func(s *journalv1.Setback, now time.Time) error {
		today := cal.Date(now)
		on := req.GetRecoveredOn()
		if on == nil {
			on = today
		}
		if err := localdate.CheckNotInFuture("recovered_on", on, today); err != nil {
			return err
		}
		if s.State == typev1.SetbackState_SETBACK_STATE_RECOVERED {
			return fault.Precondition("SETBACK_RECOVERED", "the setback is recovered from already; reopen it first to change that")
		}
		s.State = typev1.SetbackState_SETBACK_STATE_RECOVERED
		s.RecoveredOn = on
		s.RecoveryNote = req.GetNote()
		return nil
	})
}

// ReopenSetback takes closing and recovery back.
func (d *Domain) ReopenSetback(ctx context.Context, req *journalv1.ReopenSetbackRequest) (*journalv1.Setback, error) {
	return d.Setbacks.Mutate(ctx, "reopened", req.GetName(), req.GetEtag(), func(s *journalv1.Setback, _ time.Time) error {
		if s.State != typev1.SetbackState_SETBACK_STATE_CLOSED && s.State != typev1.SetbackState_SETBACK_STATE_RECOVERED {
			return fault.Precondition("SETBACK_NOT_CLOSED", "only a closed or recovered setback can be reopened")
		}
		s.State = typev1.SetbackState_SETBACK_STATE_OPEN
		s.RecoveredOn, s.RecoveryNote, s.ClosingNote = nil, "", ""
		return nil
	})
}
