package digest

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// maxNotable is how many insights a digest tells of.
const maxNotable = 10

// Of gives the digest of a period that has begun, as far as is known at a time. The
// insights are those of the period and those of the one before.
func Of(p *storagev1.Projection, name string, period Period, insights, before []*insightsv1.Insight, now time.Time) *insightsv1.Digest {
	insights, before = standing(insights), standing(before)
	end := projection.End(p, period.Span)
	d := &insightsv1.Digest{
		Name: name, Over: !now.Before(end), AsOf: timestamppb.New(now),
		Period: projection.PeriodIn(p, period.Span, now), Before: projection.PeriodIn(p, period.Before, now),
		InsightsN: int32(len(insights)),
	}
	d.Period.MilestonesReached, d.Before.MilestonesReached = milestones(insights), milestones(before)
	if d.Over {
		d.AsOf = timestamppb.New(end)
	}
	cal := projection.Calendar(p)
	for _, in := range notable(insights) {
		d.Insights = append(d.Insights, &insightsv1.DigestInsight{
			Kind: in.GetKind(), On: cal.Date(in.GetTime().AsTime()), N: in.GetN(), Statement: statement(in),
		})
	}
	last := min(d.AsOf.AsTime().UnixMilli(), end.UnixMilli()-1)
	d.Associations = projection.Summary(p, name, time.UnixMilli(last).UTC()).GetAssociations()
	d.Markdown = markdown(period, d)
	return d
}

// standing leaves out what was retracted or restated, and retractions themselves.
func standing(insights []*insightsv1.Insight) []*insightsv1.Insight {
	return slices.DeleteFunc(slices.Clone(insights), func(in *insightsv1.Insight) bool {
		return in.GetCorrectedBy() != "" || in.GetCorrection() == insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED
	})
}

func milestones(insights []*insightsv1.Insight) (n int32) {
	for _, in := range insights {
		if in.GetKind() == insightsv1.InsightKind_INSIGHT_KIND_MILESTONE_REACHED {
			n++
		}
	}
	return n
}

// ranks are the kinds of insights, the most notable first.
var ranks = []insightsv1.InsightKind{
	insightsv1.InsightKind_INSIGHT_KIND_GOAL_ACHIEVED,
	insightsv1.InsightKind_INSIGHT_KIND_MILESTONE_REACHED,
	insightsv1.InsightKind_INSIGHT_KIND_SETBACK_RECOVERED,
	insightsv1.InsightKind_INSIGHT_KIND_MOOD_SHIFT,
	insightsv1.InsightKind_INSIGHT_KIND_LESSON_APPLIED,
	insightsv1.InsightKind_INSIGHT_KIND_GRATITUDE_RUN,
	insightsv1.InsightKind_INSIGHT_KIND_INTENSITY_REVISITED,
	insightsv1.InsightKind_INSIGHT_KIND_STEP_MOMENTUM,
}

// notable picks the most notable insights, and gives them earliest first. Of runs of
// gratitudes and of momentum, the greatest counts: it holds the others.
func notable(insights []*insightsv1.Insight) []*insightsv1.Insight {
	greatest := map[insightsv1.InsightKind]int32{}
	for _, in := range insights {
		greatest[in.GetKind()] = max(greatest[in.GetKind()], size(in))
	}
	told := map[insightsv1.InsightKind]bool{}
	var out []*insightsv1.Insight
	for _, in := range slices.SortedStableFunc(slices.Values(insights), byTime) {
		if s := size(in); s > 0 {
			if s < greatest[in.GetKind()] || told[in.GetKind()] {
				continue
			}
			told[in.GetKind()] = true
		}
		if slices.Contains(ranks, in.GetKind()) {
			out = append(out, in)
		}
	}
	slices.SortStableFunc(out, func(a, b *insightsv1.Insight) int {
		return cmp.Or(cmp.Compare(slices.Index(ranks, a.GetKind()), slices.Index(ranks, b.GetKind())), -byTime(a, b))
	})
	out = out[:min(maxNotable, len(out))]
	slices.SortStableFunc(out, byTime)
	return out
}

func byTime(a, b *insightsv1.Insight) int {
	return cmp.Or(a.GetTime().AsTime().Compare(b.GetTime().AsTime()), cmp.Compare(a.GetName(), b.GetName()))
}

// size is how great an insight is of which the greatest holds the others; 0: it is
// none of those.
func size(in *insightsv1.Insight) int32 {
	return max(in.GetGratitudeRun().GetDays(), in.GetStepMomentum().GetActiveDays())
}

// date is a day as in 2026-11-26.
func date(day int32) string { return localdate.Text(localdate.FromDays(int(day))) }
