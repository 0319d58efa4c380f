package plan

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rebound-hq/rebound/services/goals/internal/graph"
)

// TestReplan: golden cases; today is day 100.
func TestReplan(t *testing.T) {
	step := func(name string, due int) Item { return Item{Name: name, Due: due, Dated: true} }
	under := func(milestone string, i Item) Item { i.Milestone = milestone; return i }
	milestone := func(name string, due int) Item { return Item{Name: name, Due: due, Dated: true, IsMilestone: true} }
	undated := func(name string) Item { return Item{Name: name} }
	for _, c := range []struct {
		name     string
		items    []Item
		requires graph.Edges
		want     []string
	}{
		{"nothing is overdue", []Item{step("a", 100), step("b", 120)}, graph.Edges{"b": {"a"}}, nil},
		{"one", []Item{step("a", 90), step("b", 120)}, nil, []string{"a 90>100 overdue"}},
		{"gaps are kept, up to a week", []Item{step("a", 10), step("b", 12), step("c", 90), step("d", 90)}, nil,
			[]string{"a 10>100 overdue", "b 12>102 overdue", "c 90>109 overdue", "d 90>109 overdue"}},
		{"what depends moves as far, through what has no date", []Item{step("a", 97), undated("u"), step("b", 105), step("c", 105)},
			graph.Edges{"u": {"a"}, "b": {"u"}}, []string{"a 97>100 overdue", "b 105>108 depends"}},
		{"the farthest counts", []Item{step("a", 97), step("b", 90), step("c", 110)}, graph.Edges{"c": {"a", "b"}},
			[]string{"b 90>100 overdue", "a 97>107 overdue", "c 110>120 depends"}},
		{"a date that was before what it requires comes after it", []Item{step("a", 98), step("b", 95)}, graph.Edges{"b": {"a"}},
			[]string{"a 98>103 overdue", "b 95>103 overdue"}},
		{"a milestone waits for its steps, and the next for it", []Item{
			under("m", step("a", 95)), under("m", step("b", 103)), milestone("m", 104), milestone("n", 106), milestone("o", 150),
		}, graph.Edges{"b": {"a"}}, []string{"a 95>100 overdue", "b 103>108 depends", "m 104>108 order", "n 106>108 order"}},
		{"a milestone that was before its step stays so", []Item{under("m", step("b", 103)), milestone("m", 99)}, nil, []string{"m 99>100 overdue"}},
		{"a dependency goes before the order of milestones", []Item{milestone("m", 95), milestone("n", 96)}, graph.Edges{"m": {"n"}},
			[]string{"n 96>101 overdue", "m 95>101 overdue"}},
	} {
		if got := texts(Replan(c.items, c.requires, 100)); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", c.name, got, c.want)
		}
	}
}

func texts(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%s %d>%d %s", c.Name, c.From, c.To, []string{"", "overdue", "depends", "order"}[c.Why]))
	}
	return out
}

// TestReplanProperties: nothing is overdue after it, nothing moves to an earlier
// day, what came after what it requires still does, and a second time nothing moves.
func TestReplanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items, requires := drawItems(t)
		before := map[string]Item{}
		for _, i := range items {
			before[i.Name] = i
		}
		changes := Replan(items, requires, 100)
		after := map[string]int{}
		for _, i := range items {
			after[i.Name] = i.Due
		}
		for _, c := range changes {
			if c.From != before[c.Name].Due || c.To <= c.From || c.Why == 0 {
				t.Fatalf("%v", c)
			}
			after[c.Name] = c.To
		}
		for i, item := range items {
			if item.Dated && after[item.Name] < 100 {
				t.Fatalf("%s is still overdue: %v", item.Name, texts(changes))
			}
			for _, r := range requires[item.Name] {
				if item.Dated && before[r].Dated && before[r].Due <= item.Due && after[r] > after[item.Name] {
					t.Fatalf("%s comes before %s, which it requires: %v", item.Name, r, texts(changes))
				}
			}
			items[i].Due = after[item.Name]
		}
		if again := Replan(items, requires, 100); len(again) > 0 {
			t.Fatalf("after %v: %v", texts(changes), texts(again))
		}
	})
}

// drawItems draws a roadmap without circles.
func drawItems(t *rapid.T) ([]Item, graph.Edges) {
	n := rapid.IntRange(1, 8).Draw(t, "items")
	items := make([]Item, n)
	requires := graph.Edges{}
	for i := range items {
		items[i] = Item{
			Name: fmt.Sprintf("i%d", i), IsMilestone: rapid.Bool().Draw(t, "milestone"),
			Due: rapid.IntRange(80, 120).Draw(t, "due"), Dated: rapid.IntRange(0, 5).Draw(t, "dated") > 0,
		}
		for j := range i {
			if rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
				requires[items[i].Name] = append(requires[items[i].Name], items[j].Name)
			}
			if items[j].IsMilestone && !items[i].IsMilestone && rapid.Bool().Draw(t, "below") {
				items[i].Milestone = items[j].Name
			}
		}
	}
	return rapid.Permutation(items).Draw(t, "order"), requires
}

// TestScore: golden scores.
func TestScore(t *testing.T) {
	for _, c := range []struct {
		Candidate
		score float64
		why   Reason
		text  string
	}{
		{Candidate{}, 1, Ready, "nothing is in its way"},
		{Candidate{Dated: true, Days: -3}, 5, PastDue, "3 days overdue"},
		{Candidate{Dated: true, Days: 0, Minutes: 120}, 4, DueToday, "due today"},
		{Candidate{Dated: true, Days: 7, Minutes: 120}, 2, DueSoon, "due in 7 days"},
		{Candidate{Dated: true, Days: 13, Minutes: 15}, 4.0/14 + 1.75, Small, "small: 15 minutes"},
		{Candidate{Dated: true, Days: 14, Minutes: 30}, 1.5, Small, "small: 30 minutes"},
		{Candidate{Minutes: 31, Waiting: 2}, 2*(1-31.0/120) + 2.0/3, Unblocks, "2 others wait for it"},
		{Candidate{Minutes: 600, Waiting: 1, Recent: 1}, 1.0/3 + 1, Momentum, "its goal has momentum: 1 completion in 7 days"},
		{Candidate{Dated: true, Repeats: true, Days: 0}, 5, Occurs, "its turn today"},
		{Candidate{Dated: true, Repeats: true, Days: -1, Minutes: 1, Waiting: 9, Recent: 9}, 4 + 2*(1-1.0/120) + 2, Occurs, "its turn came 1 day ago"},
	} {
		score, why := c.Score()
		if math.Abs(score-c.score) > 1e-9 || why != c.why || c.Text(why) != c.text {
			t.Errorf("%+v: %v, %v, %q", c.Candidate, score, why, c.Text(why))
		}
	}
}

// TestScoreBounds: from 0 to 8, and a day nearer never less.
func TestScoreBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Candidate{
			Days: rapid.IntRange(-400, 400).Draw(t, "days"), Dated: rapid.Bool().Draw(t, "dated"), Repeats: rapid.Bool().Draw(t, "repeats"),
			Minutes: rapid.IntRange(0, 1000).Draw(t, "minutes"), Waiting: rapid.IntRange(0, 10).Draw(t, "waiting"), Recent: rapid.IntRange(0, 5).Draw(t, "recent"),
		}
		score, why := c.Score()
		if score < 0 || score > 8 || why < PastDue || why > Ready || c.Text(why) == "" {
			t.Fatalf("%v, %v, %q", score, why, c.Text(why))
		}
		nearer := c
		nearer.Days--
		if s, _ := nearer.Score(); s < score {
			t.Fatalf("a day nearer: %v instead of %v", s, score)
		}
	})
}
