package domain

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

const (
	// maxCompared is how many avenues one comparison looks at.
	maxCompared = 100
	// bestRating is the highest of a rating, as the proto has it.
	bestRating = 5
)

// rated is what an avenue is rated for.
var rated = []struct {
	label  string
	rating func(*goalsv1.AvenueRatings) int32
	weight func(*goalsv1.CompareWeights) *float64
}{
	{"realistic", (*goalsv1.AvenueRatings).GetRealistic, func(w *goalsv1.CompareWeights) *float64 { return w.Realistic }},
	{"fit with your values", (*goalsv1.AvenueRatings).GetValuesFit, func(w *goalsv1.CompareWeights) *float64 { return w.ValuesFit }},
	{"joy", (*goalsv1.AvenueRatings).GetJoy, func(w *goalsv1.CompareWeights) *float64 { return w.Joy }},
}

// weights are how much each of rated counts; they sum to 1.
type weights [3]float64

// CompareAvenues ranks avenues by the weighted mean of their ratings.
func (d *Domain) CompareAvenues(ctx context.Context, req *goalsv1.CompareAvenuesRequest) (*goalsv1.CompareAvenuesResponse, error) {
	w, err := weightsOf(req.GetWeights())
	if err != nil {
		return nil, err
	}
	avenues, err := d.compared(ctx, req)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range avenues {
		names = append(names, a.GetValues()...)
	}
	slices.Sort(names)
	values, err := d.Values.Batch(ctx, slices.Compact(names))
	if err != nil {
		return nil, err
	}
	rows := make([]*goalsv1.ComparedAvenue, len(avenues))
	for i, a := range avenues {
		rows[i] = w.row(a, values)
	}
	rank(rows)
	return &goalsv1.CompareAvenuesResponse{Rows: rows, Weights: &goalsv1.CompareWeights{
		Realistic: proto.Float64(w[0]), ValuesFit: proto.Float64(w[1]), Joy: proto.Float64(w[2]),
	}}, nil
}

// compared gives the avenues that a request names, or else the latest open ones.
func (d *Domain) compared(ctx context.Context, req *goalsv1.CompareAvenuesRequest) ([]*goalsv1.Avenue, error) {
	if len(req.GetAvenues()) == 0 {
		res, err := d.Avenues.List(ctx, &goalsv1.ListAvenuesRequest{Parent: req.GetParent(), Filter: "state = OPEN", PageSize: maxCompared})
		if err != nil {
			return nil, err
		}
		return res.(*goalsv1.ListAvenuesResponse).GetAvenues(), nil
	}
	found, err := d.Avenues.CheckReferences(ctx, "avenues", req.GetParent(), req.GetAvenues(), nil)
	if err != nil {
		return nil, err
	}
	avenues := make([]*goalsv1.Avenue, 0, len(found))
	for _, a := range found {
		avenues = append(avenues, a)
	}
	return avenues, nil
}

func weightsOf(given *goalsv1.CompareWeights) (weights, error) {
	w, sum := weights{1, 1, 1}, 0.0
	for i, r := range rated {
		if given != nil {
			if x := r.weight(given); x != nil {
				w[i] = *x
			}
		}
		sum += w[i]
	}
	if sum == 0 {
		return w, fault.Invalid("weights", "WEIGHTS_ZERO", "must have at least one weight above 0")
	}
	for i := range w {
		w[i] /= sum
	}
	return w, nil
}

// row scores one avenue: sum(weight x rating) / sum(weight) over what is rated.
func (w weights) row(a *goalsv1.Avenue, values map[string]*goalsv1.Value) *goalsv1.ComparedAvenue {
	row := &goalsv1.ComparedAvenue{Avenue: a.GetName(), Title: a.GetTitle(), Ratings: a.GetRatings()}
	var sum, weight float64
	for i, r := range rated {
		if n := r.rating(a.GetRatings()); n > 0 {
			sum += w[i] * float64(n)
			weight += w[i]
		}
	}
	row.Coverage = fourDecimals(weight)
	if weight > 0 {
		row.Score = proto.Float64(fourDecimals(sum / weight))
	}
	row.Reasons = w.reasons(a, values)
	return row
}

// fourDecimals makes scores that differ only by how they were added up the same.
func fourDecimals(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// rank orders rows and numbers their places.
func rank(rows []*goalsv1.ComparedAvenue) {
	score := func(r *goalsv1.ComparedAvenue) float64 {
		if r.Score == nil {
			return 0 // below all scores, which begin at 1
		}
		return r.GetScore()
	}
	slices.SortFunc(rows, func(a, b *goalsv1.ComparedAvenue) int {
		return cmp.Or(cmp.Compare(score(b), score(a)), strings.Compare(a.GetAvenue(), b.GetAvenue()))
	})
	for i, r := range rows {
		r.Rank = int32(i + 1)
		if i > 0 && score(rows[i-1]) == score(r) {
			r.Rank = rows[i-1].GetRank()
		}
	}
}

// reasons says what adds most, what holds back most, which values are served, and what
// does not count since it is not rated.
func (w weights) reasons(a *goalsv1.Avenue, values map[string]*goalsv1.Value) []*goalsv1.CompareReason {
	var out []*goalsv1.CompareReason
	say := func(kind typev1.CompareReasonKind, format string, args ...any) {
		out = append(out, &goalsv1.CompareReason{Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
	strongest, weakest := -1, -1
	var adds, lacks float64
	var unrated []string
	for i, r := range rated {
		n := float64(r.rating(a.GetRatings()))
		switch {
		case w[i] == 0:
		case n == 0:
			unrated = append(unrated, r.label)
		default:
			if w[i]*n > adds {
				strongest, adds = i, w[i]*n
			}
			if lack := w[i] * (bestRating - n); lack > lacks {
				weakest, lacks = i, lack
			}
		}
	}
	if strongest >= 0 {
		say(typev1.CompareReasonKind_COMPARE_REASON_KIND_STRONGEST, "Most speaks for it: %s, %d of %d.",
			rated[strongest].label, rated[strongest].rating(a.GetRatings()), bestRating)
	}
	if weakest >= 0 && weakest != strongest {
		say(typev1.CompareReasonKind_COMPARE_REASON_KIND_WEAKEST, "Most holds it back: %s, %d of %d.",
			rated[weakest].label, rated[weakest].rating(a.GetRatings()), bestRating)
	}
	if names := served(a, values); len(names) > 0 {
		say(typev1.CompareReasonKind_COMPARE_REASON_KIND_VALUES, "It serves %d of your values: %s.", len(names), strings.Join(names, ", "))
	}
	if len(unrated) > 0 {
		say(typev1.CompareReasonKind_COMPARE_REASON_KIND_NOT_RATED, "Not rated yet: %s.", strings.Join(unrated, ", "))
	}
	return out
}

// served names the values that an avenue serves, the most important first. Those that
// were deleted since are left out.
func served(a *goalsv1.Avenue, values map[string]*goalsv1.Value) []string {
	var found []*goalsv1.Value
	for _, name := range a.GetValues() {
		if v := values[name]; v != nil {
			found = append(found, v)
		}
	}
	slices.SortFunc(found, func(a, b *goalsv1.Value) int {
		return cmp.Or(cmp.Compare(a.GetRank(), b.GetRank()), strings.Compare(a.GetName(), b.GetName()))
	})
	names := make([]string, len(found))
	for i, v := range found {
		names[i] = v.GetDisplayName()
	}
	return names
}
