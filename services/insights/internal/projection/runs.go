package projection

import (
	"slices"
	"strconv"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// runLengths are the lengths of a run of days that are told, in days.
var runLengths = []int32{3, 7, 14, 30, 60, 100, 200, 365}

func (a *application) gratitude(f *eventsv1.GratitudeFacts) {
	day := days(f.GetLocalDate())
	runs, run, longest := addDay(a.p.GetGratitudes(), day)
	a.p.Gratitudes = runs
	if run == nil {
		return // the day was there already
	}
	a.weeks.Practice(typev1.Practice_PRACTICE_GRATITUDE, day, 1)
	length := run.GetLast() - run.GetFirst() + 1
	told := int32(0)
	for _, l := range runLengths {
		if longest < l && l <= length {
			told = l
		}
	}
	if told == 0 {
		return
	}
	a.tell(&insightsv1.Insight{
		Kind: insightsv1.InsightKind_INSIGHT_KIND_GRATITUDE_RUN, N: length,
		Data: &insightsv1.Insight_GratitudeRun{GratitudeRun: &insightsv1.GratitudeRun{
			Days: told, First: localdate.FromDays(int(run.GetFirst())), Last: localdate.FromDays(int(run.GetLast())),
		}},
	}, strconv.Itoa(int(run.GetFirst())), strconv.Itoa(int(told)))
}

// addDay adds a day to runs of days. It gives the run the day has become part
// of, and the length of the longest of those that it joined; no run when the day
// was there already.
func addDay(runs []*storagev1.DayRun, day int32) (_ []*storagev1.DayRun, run *storagev1.DayRun, longest int32) {
	if hasDay(runs, day) {
		return runs, nil, 0
	}
	i := firstRun(runs, day)
	run = &storagev1.DayRun{First: day, Last: day}
	from, to := i, i
	if i > 0 && runs[i-1].GetLast() == day-1 {
		from, run.First = i-1, runs[i-1].GetFirst()
		longest = day - run.First
	}
	if i < len(runs) && runs[i].GetFirst() == day+1 {
		to, run.Last = i+1, runs[i].GetLast()
		longest = max(longest, run.Last-day)
	}
	return slices.Concat(runs[:from:from], []*storagev1.DayRun{run}, runs[to:]), run, longest
}

// firstRun is the place of the first run that does not end before a day.
func firstRun(runs []*storagev1.DayRun, day int32) int {
	i, _ := slices.BinarySearchFunc(runs, day, func(r *storagev1.DayRun, d int32) int { return int(r.GetLast()) - int(d) })
	return i
}

// hasDay tells whether a day lies in one of the runs.
func hasDay(runs []*storagev1.DayRun, day int32) bool {
	i := firstRun(runs, day)
	return i < len(runs) && runs[i].GetFirst() <= day
}

// removeDay takes a day out of runs of days.
func removeDay(runs []*storagev1.DayRun, day int32) []*storagev1.DayRun {
	var out []*storagev1.DayRun
	for _, r := range runs {
		if day < r.GetFirst() || day > r.GetLast() {
			out = append(out, r)
			continue
		}
		if r.GetFirst() < day {
			out = append(out, &storagev1.DayRun{First: r.GetFirst(), Last: day - 1})
		}
		if day < r.GetLast() {
			out = append(out, &storagev1.DayRun{First: day + 1, Last: r.GetLast()})
		}
	}
	return out
}
