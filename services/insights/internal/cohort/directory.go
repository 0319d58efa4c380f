package cohort

import (
	"context"
	"sync/atomic"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
)

// standing is what may be shown as far as who stands where goes.
type standing struct {
	asks []privacy.Ask // by week
	// used is by week, then by group, all groups together first.
	used [][]atomic.Bool
}

// judgeDirectory holds the groups of each week against earlier ones, whoever of their
// people may be counted. What comes of it is kept for groups only of which something
// is shown, with keep.
func (p *population) judgeDirectory(ctx context.Context, d *privacy.Draft) *standing {
	s := &standing{}
	trial := d.Branch()
	sets, everybody := make([][]privacy.Set, p.weeks), make([]privacy.Set, p.weeks)
	each(sets, func(week int, _ []privacy.Set) { sets[week], everybody[week] = p.standIn(week) })
	for week := range p.weeks {
		if ctx.Err() != nil {
			break
		}
		candidates := make([]*privacy.Candidate, len(p.groups)+1)
		for i := range candidates {
			candidates[i] = &privacy.Candidate{Set: sets[week][i], Question: p.asks(&cell{group: i - 1}, false)}
		}
		a := privacy.Ask{
			Key: privacy.Key{Family: directory, Week: p.window.First + int32(week)}, Minimum: p.minimum,
			Universe: everybody[week], Total: candidates[0], Groups: candidates[1:],
		}
		trial.Judge(a)
		s.asks, s.used = append(s.asks, a), append(s.used, make([]atomic.Bool, len(candidates)))
	}
	return s
}

// standIn gives who stands in each group in a week, all groups together first, and who
// stands anywhere, whatever the filter.
func (p *population) standIn(week int) (sets []privacy.Set, everybody privacy.Set) {
	var all privacy.Gatherer
	ordinals := make([]privacy.Gatherer, len(p.groups)+1)
	for row := range p.people {
		if p.known[row]&(1<<week) == 0 {
			continue
		}
		if p.match != nil {
			all.Add(p.ordinals[row])
		}
		at := p.stands[row*p.weeks+week]
		if at == outside {
			continue
		}
		ordinals[0].Add(p.ordinals[row])
		if at >= 0 {
			ordinals[at+1].Add(p.ordinals[row])
		}
	}
	for i := range ordinals {
		sets = append(sets, privacy.People(ordinals[i].Bitmap()))
	}
	if p.match == nil {
		return sets, sets[0]
	}
	return sets, privacy.People(all.Bitmap())
}

func (s *standing) candidate(group, week int) *privacy.Candidate {
	if group == total {
		return s.asks[week].Total
	}
	return s.asks[week].Groups[group]
}

// refused is why nothing is to be shown of a group in a week; Shown: it may be.
func (s *standing) refused(group, week int) insightsv1.SuppressionReason {
	return s.candidate(group, week).Refused
}

// use notes that something is shown of a group in a week.
func (s *standing) use(group, week int) { s.used[week][group+1].Store(true) }

// keep makes what is shown known.
func (s *standing) keep(d *privacy.Draft) {
	for week, used := range s.used {
		for i := range used {
			if used[i].Load() {
				d.Take(s.asks[week], s.candidate(i-1, week))
			}
		}
	}
}
