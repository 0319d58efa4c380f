package measure

import (
	"slices"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// band is people whose mean mood lies from one bound up to another.
type band struct {
	from, to float64
	people   int32
}

// bandsOf puts people into bands by their means.
func bandsOf(means []float64) []band {
	bands := []band{{from: -5, to: -3}, {from: -3, to: -1}, {from: -1, to: 1}, {from: 1, to: 3}, {from: 3, to: 5}}
	for _, x := range means {
		at := 0
		for at < len(bands)-1 && x >= bands[at].to {
			at++
		}
		bands[at].people++
	}
	return bands
}

// merged makes one of neighbors until each band has the minimum of people, or one
// band is left: the smallest band, the lower of equal ones, goes to its smaller
// neighbor, the lower of equal ones.
func merged(bands []band, minimum int32) []band {
	bands = slices.Clone(bands)
	for len(bands) > 1 {
		least := 0
		for i, b := range bands {
			if b.people < bands[least].people {
				least = i
			}
		}
		if bands[least].people >= minimum {
			break
		}
		at := least - 1 // the lower of the two that become one
		if at < 0 || at+2 < len(bands) && bands[at+2].people < bands[at].people {
			at++
		}
		bands[at].to = bands[at+1].to
		bands[at].people += bands[at+1].people
		bands = slices.Delete(bands, at+1, at+2)
	}
	return bands
}

func moodDistribution(g Group) (func(*insightsv1.CohortCell), bool) {
	t := tally(g, &g.Look.mood)
	n := int32(len(t.people))
	bands := merged(bandsOf(t.people), max(1, g.Minimum))
	if len(bands) == 1 {
		return nil, true
	}
	return func(cell *insightsv1.CohortCell) {
		about(cell, n, t.weeks)
		out := &insightsv1.CohortMoodDistribution{}
		for _, b := range bands {
			out.Bands = append(out.Bands, &insightsv1.CohortMoodBand{From: b.from, To: b.to, People: b.people, Share: share(b.people, n)})
		}
		cell.Values = &insightsv1.CohortCell_MoodDistribution{MoodDistribution: out}
	}, false
}
