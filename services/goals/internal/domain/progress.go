package domain

import goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"

// defaultWeight is what a milestone or step counts for when it does not say.
const defaultWeight = 1

// tally adds up what parts of a goal count for.
type tally struct{ done, all int64 }

// tallyOf finds the tally of the goal that a name is, or lies below.
func tallyOf(tallies map[string]*tally, name string) *tally {
	goal := goalOf(name)
	if tallies[goal] == nil {
		tallies[goal] = &tally{}
	}
	return tallies[goal]
}

func (t *tally) count(weight int32, done bool) {
	t.all += int64(weight)
	if done {
		t.done += int64(weight)
	}
}

// progress is how far a goal has come: the weights of what is done, divided by
// all weights; 0 when there are none, 1 when the goal is achieved.
func (t *tally) progress(g *goalsv1.Goal) float64 {
	switch {
	case g.GetState() == achieved:
		return 1
	case t.all == 0:
		return 0
	}
	return float64(t.done) / float64(t.all)
}

// stepWeight is what a step counts for in its goal's progress. What repeats is
// never through, and counts for nothing; of what was split, the parts count.
func stepWeight(s *goalsv1.Step) int32 {
	switch {
	case repeats(s) || s.GetState() == split:
		return 0
	case s.Weight == nil:
		return defaultWeight
	}
	return s.GetWeight()
}
