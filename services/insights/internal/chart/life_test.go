package chart

import (
	"fmt"
	"math"
	"math/rand/v2"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
)

// today is Thursday, 2026-11-26, the last day of the lives of tests.
const today = 20783

// life is the projection of a person with about so many of everything in a year.
func life(n int) *storagev1.Projection {
	r := rand.New(rand.NewPCG(1, 2))
	p := projection.New("tenants/acme/people/ada")
	for i := range n * 4 {
		day := today - int32(n*4-1-i)*365/int32(n*4)
		mood := -1 + 2.5*math.Sin(float64(i)/40) + r.NormFloat64()*1.3
		if day > today-40 {
			mood += 2
		}
		p.CheckIns = append(p.CheckIns, &storagev1.CheckInEntry{
			Id: fmt.Sprint(i), Time: int64(day)*86_400_000 + int64(i), Day: &day, Pleasantness: int32(max(-5, min(5, math.Round(mood)))),
		})
	}
	for i := range n {
		e := &storagev1.SetbackEntry{Occurred: today - int32(r.IntN(300)), Recorded: 1}
		if r.IntN(4) > 0 {
			on := min(today, e.GetOccurred()+int32(r.IntN(60)))
			e.Recovered = &on
		}
		p.Setbacks[fmt.Sprint(i)] = e
	}
	for i := range n * 3 {
		p.Completions = append(p.Completions, &storagev1.CompletionEntry{Id: fmt.Sprint(i), Day: today - int32(r.IntN(180))})
		p.Practices = append(p.Practices, &storagev1.PracticeEntry{Practice: typev1.Practice(3 + r.IntN(4)), Id: fmt.Sprint(i), Day: today - int32(r.IntN(180))})
	}
	if n > 0 {
		p.Gratitudes = []*storagev1.DayRun{{First: today - 90, Last: today - 60}, {First: today - 5, Last: today}}
	}
	return p
}

// last is the span of the last days.
func last(days int32) projection.Span { return projection.Span{From: today - days + 1, Until: today} }

// figures are charts of people and of cohorts with nothing, little, and much to show.
func figures() map[string]*Figure {
	out := map[string]*Figure{}
	for _, n := range []int{0, 1, 3, 60, 120} {
		for _, days := range []int32{28, 90, 366} {
			for _, kind := range Kinds {
				out[fmt.Sprintf("%s of %d in %d days", kind, n, days)] = Of(kind, life(n), last(days))
			}
		}
	}
	for _, groups := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {2, 1}, {4, 5}, {12, 0}, {0, 12}} {
		for _, kind := range Kinds {
			out[fmt.Sprintf("%s of %d groups", kind, groups)] = CohortOf(kind, reportOf(groups[0], groups[1]))
		}
	}
	return out
}
