package domain

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// TestCompare: a table that can be recalculated by hand.
func TestCompare(t *testing.T) {
	r := newRig(t)
	r.value("ease", "Ease", 2)
	r.value("candor", "Candor", 1)
	r.value("gone", "Gone", 3)
	values := []string{ada + "/values/gone", ada + "/values/ease", ada + "/values/candor"}
	r.avenue("weld", &goalsv1.Avenue{Values: values, Ratings: &goalsv1.AvenueRatings{Realistic: 4, ValuesFit: 3, Joy: 5}})
	r.avenue("sail", &goalsv1.Avenue{Ratings: &goalsv1.AvenueRatings{Realistic: 1, Joy: 5}})
	r.avenue("bake", &goalsv1.Avenue{Ratings: &goalsv1.AvenueRatings{Realistic: 5, ValuesFit: 4, Joy: 3}})
	r.avenue("none", &goalsv1.Avenue{})
	r.avenue("left", &goalsv1.Avenue{Ratings: &goalsv1.AvenueRatings{Joy: 5}})
	if _, err := r.d.RejectAvenue(t.Context(), &goalsv1.RejectAvenueRequest{Name: ada + "/avenues/left"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.d.Values.Delete(t.Context(), &goalsv1.DeleteValueRequest{Name: values[0]}); err != nil {
		t.Fatal(err)
	}
	table := func(req *goalsv1.CompareAvenuesRequest) []string {
		t.Helper()
		req.Parent = ada
		res, err := r.d.CompareAvenues(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, row := range res.GetRows() {
			line := fmt.Sprintf("%d %s", row.GetRank(), row.GetTitle())
			if row.Score != nil {
				line += fmt.Sprintf(" %v", row.GetScore())
			}
			line += fmt.Sprintf(" (%v)", row.GetCoverage())
			for _, reason := range row.GetReasons() {
				line += " | " + strings.TrimPrefix(reason.GetKind().String(), "COMPARE_REASON_KIND_") + " " + reason.GetText()
			}
			out = append(out, line)
		}
		return out
	}
	for _, c := range []struct {
		req  *goalsv1.CompareAvenuesRequest
		want []string
	}{
		// Equal weights: 12/3 twice, by name; 6/2; nothing.
		{&goalsv1.CompareAvenuesRequest{}, []string{
			"1 bake 4 (1) | STRONGEST Most speaks for it: realistic, 5 of 5. | WEAKEST Most holds it back: joy, 3 of 5.",
			"1 weld 4 (1) | STRONGEST Most speaks for it: joy, 5 of 5. | WEAKEST Most holds it back: fit with your values, 3 of 5. | VALUES It serves 2 of your values: Candor, Ease.",
			"3 sail 3 (0.6667) | STRONGEST Most speaks for it: joy, 5 of 5. | WEAKEST Most holds it back: realistic, 1 of 5. | NOT_RATED Not rated yet: fit with your values.",
			"4 none (0) | NOT_RATED Not rated yet: realistic, fit with your values, joy.",
		}},
		// Joy twice: (4+3+10)/4, (5+4+6)/4, and (1+10)/3 where the fit is missing.
		{&goalsv1.CompareAvenuesRequest{Weights: &goalsv1.CompareWeights{Joy: proto.Float64(2)}}, []string{
			"1 weld 4.25 (1) | STRONGEST Most speaks for it: joy, 5 of 5. | WEAKEST Most holds it back: fit with your values, 3 of 5. | VALUES It serves 2 of your values: Candor, Ease.",
			"2 bake 3.75 (1) | STRONGEST Most speaks for it: joy, 3 of 5. | NOT_RATED",
			"3 sail 3.6667 (0.75) | STRONGEST Most speaks for it: joy, 5 of 5. | WEAKEST Most holds it back: realistic, 1 of 5. | NOT_RATED Not rated yet: fit with your values.",
			"4 none (0) | NOT_RATED Not rated yet: realistic, fit with your values, joy.",
		}},
		// Only the fit, of two that are named: what has no weight is neither for nor against.
		{&goalsv1.CompareAvenuesRequest{
			Weights: &goalsv1.CompareWeights{Joy: proto.Float64(0), Realistic: proto.Float64(0)}, Avenues: []string{ada + "/avenues/left", ada + "/avenues/bake"},
		}, []string{
			"1 bake 4 (1) | STRONGEST Most speaks for it: fit with your values, 4 of 5.",
			"2 left (0) | NOT_RATED Not rated yet: fit with your values.",
		}},
	} {
		got := table(c.req)
		for i := range got {
			if i >= len(c.want) || got[i] != strings.TrimSuffix(c.want[i], " | NOT_RATED") {
				t.Errorf("row %d: %s", i, got[i])
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%d rows: %v", len(got), got)
		}
	}
	for reason, req := range map[string]*goalsv1.CompareAvenuesRequest{
		"WEIGHTS_ZERO":      {Weights: &goalsv1.CompareWeights{Realistic: proto.Float64(0), ValuesFit: proto.Float64(0), Joy: proto.Float64(0)}},
		"REFERENCE_UNKNOWN": {Avenues: []string{ada + "/avenues/absent"}},
		"REFERENCE_FOREIGN": {Avenues: []string{"tenants/acme/people/grace/avenues/weld"}},
	} {
		req.Parent = ada
		_, err := r.d.CompareAvenues(t.Context(), req)
		resourcetest.Refused(t, err, reason)
	}
}

// TestCompareProperties: scores stay within the scale, do not depend on how large all
// weights are or on the order of avenues, and do not fall when a rating rises.
func TestCompareProperties(t *testing.T) {
	rating := rapid.Int32Range(0, 5)
	rapid.Check(t, func(t *rapid.T) {
		weight := rapid.Float64Range(0.01, 33)
		given := &goalsv1.CompareWeights{Realistic: proto.Float64(weight.Draw(t, "realistic")), ValuesFit: proto.Float64(weight.Draw(t, "fit")), Joy: proto.Float64(weight.Draw(t, "joy"))}
		tripled := &goalsv1.CompareWeights{Realistic: proto.Float64(3 * given.GetRealistic()), ValuesFit: proto.Float64(3 * given.GetValuesFit()), Joy: proto.Float64(3 * given.GetJoy())}
		w, err := weightsOf(given)
		if err != nil {
			t.Fatal(err)
		}
		w3, err := weightsOf(tripled)
		if err != nil {
			t.Fatal(err)
		}
		var rows, mixed []*goalsv1.ComparedAvenue
		for i := range rapid.IntRange(1, 6).Draw(t, "avenues") {
			a := &goalsv1.Avenue{Name: fmt.Sprint("a", i), Ratings: &goalsv1.AvenueRatings{Realistic: rating.Draw(t, "realistic"), ValuesFit: rating.Draw(t, "fit"), Joy: rating.Draw(t, "joy")}}
			row := w.row(a, nil)
			rows, mixed = append(rows, row), append([]*goalsv1.ComparedAvenue{proto.Clone(row).(*goalsv1.ComparedAvenue)}, mixed...)
			rated := a.GetRatings().GetRealistic()+a.GetRatings().GetValuesFit()+a.GetRatings().GetJoy() > 0
			if rated != (row.Score != nil) || rated && (row.GetScore() < 1 || row.GetScore() > 5) || row.GetCoverage() < 0 || row.GetCoverage() > 1 {
				t.Fatalf("%v", row)
			}
			if d := w3.row(a, nil).GetScore() - row.GetScore(); d < -1e-4 || d > 1e-4 {
				t.Fatalf("three times the weights change the score by %v", d)
			}
			if j := a.GetRatings().GetJoy(); j > 0 && j < 5 {
				a = proto.Clone(a).(*goalsv1.Avenue)
				a.Ratings.Joy++
				if better := w.row(a, nil); better.GetScore() < row.GetScore() {
					t.Fatalf("more joy, and the score falls from %v to %v", row, better)
				}
			}
		}
		rank(rows)
		rank(mixed)
		if !slices.EqualFunc(rows, mixed, func(a, b *goalsv1.ComparedAvenue) bool { return proto.Equal(a, b) }) {
			t.Fatalf("the order of avenues matters: %v, %v", rows, mixed)
		}
	})
}
