package domain

import (
	"context"
	"slices"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// maxPractices is how many dates of practice are kept; the oldest go first.
const maxPractices = 1000

func (d *Domain) visualizations() resource.Type[*journalv1.Visualization] {
	return resource.Type[*journalv1.Visualization]{
		Filter: []string{"goal", "vividness", "senses", "tags"},
		Order:  []string{"create_time"},
		Decide: decideVisualization,
	}
}

func decideVisualization(_ context.Context, c resource.Change[*journalv1.Visualization]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("made", nil), nil
	}
	v := c.New
	if v.GetGoal() != "" {
		if err := personsGoal("visualization.goal", c.Owner, v.GetGoal()); err != nil {
			return nil, err
		}
	}
	facts := &eventsv1.VisualizationFacts{
		Goal: v.GetGoal(), Vividness: v.GetVividness(), Planned: v.GetPlan() != nil, Practices: int32(len(v.GetPracticeDates())),
	}
	if n := len(v.GetPracticeDates()); n > 0 {
		facts.PracticedOn = v.GetPracticeDates()[n-1]
	}
	return c.Event("made", &eventsv1.Event{Data: &eventsv1.Event_Visualization{Visualization: facts}}), nil
}

// PracticeVisualization adds a date to the log of practice; the same date twice
// is once.
func (d *Domain) PracticeVisualization(ctx context.Context, req *journalv1.PracticeVisualizationRequest) (*journalv1.Visualization, error) {
	cal, err := d.Calendar(ctx, resource.Owner(req.GetName()))
	if err != nil {
		return nil, err
	}
	return d.Visualizations.Mutate(ctx, "practiced", req.GetName(), req.GetEtag(), func(v *journalv1.Visualization, now time.Time) error {
		today := cal.Date(now)
		on := req.GetDate()
		if on == nil {
			on = today
		}
		if err := localdate.CheckNotInFuture("date", on, today); err != nil {
			return err
		}
		if req.GetVividness() > 0 {
			v.Vividness = req.GetVividness()
		}
		if slices.ContainsFunc(v.PracticeDates, func(have *datepb.Date) bool { return proto.Equal(have, on) }) {
			return nil
		}
		v.PracticeDates = append(v.PracticeDates, on)
		slices.SortFunc(v.PracticeDates, func(a, b *datepb.Date) int { return localdate.Between(b, a) })
		v.PracticeDates = v.PracticeDates[max(0, len(v.PracticeDates)-maxPractices):]
		return nil
	})
}
