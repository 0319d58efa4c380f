package cohort

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/measure"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// Limits of a window, in weeks.
const (
	maxWeeks    = 53
	maxWeeksAgo = 160
)

// question is what a report asks for.
type question struct {
	tenant  string
	metrics []measure.Metric
	match   filter.Matcher // nil: everybody
	filter  string
	groupBy []string
	// crosses tells that filter and groups together go by more than one attribute.
	crosses bool
	window  measure.Window
	asOf    int32 // day
	// week is the one that it is now.
	week            int32
	minimum, strict int
	// seed of digests of what people say: without the tenant's keys, these tell nothing.
	seed uint64
}

// check reads a report's question; faults blame the report's fields.
func (c *Cohorts) check(change resource.Change[*insightsv1.CohortReport]) (*question, error) {
	report := change.New
	tenant := strings.Join(strings.SplitN(change.Name, "/", 3)[:2], "/")
	q := &question{tenant: tenant, groupBy: report.GetGroupBy(), filter: strings.TrimSpace(report.GetFilter())}
	all := measure.Metrics()
	for _, kind := range report.GetMetrics() {
		i := slices.IndexFunc(all, func(m measure.Metric) bool { return m.Kind == kind })
		if i < 0 {
			return nil, fault.Invalid("cohort_report.metrics", "METRIC_UNKNOWN", "must be metrics that there are")
		}
		q.metrics = append(q.metrics, all[i])
	}
	var err error
	if q.match, err = c.fields.Compile(report.GetFilter()); err != nil {
		if f, ok := fault.As(err); ok {
			return nil, f.At("cohort_report.filter")
		}
		return nil, err
	}
	attributes := c.fields.Names(report.GetFilter())
	for _, key := range q.groupBy {
		attributes["attributes."+key] = true
	}
	q.crosses = len(attributes) > 1
	return q, q.checkTimes(report, change.Now)
}

func (q *question) checkTimes(report *insightsv1.CohortReport, now time.Time) error {
	const start, end = "cohort_report.window.start_date", "cohort_report.window.end_date"
	w := report.GetWindow()
	if err := checkDate(start, w.GetStartDate()); err != nil {
		return err
	}
	if err := checkDate(end, w.GetEndDate()); err != nil {
		return err
	}
	from, to := int32(localdate.Days(w.GetStartDate())), int32(localdate.Days(w.GetEndDate()))
	today := int32(localdate.Days(localdate.Of(now, time.UTC)))
	q.week = facts.WeekOf(today)
	q.window = measure.Window{First: facts.WeekOf(from), Last: facts.WeekOf(to)}
	switch {
	case from != facts.Monday(q.window.First):
		return fault.Invalid(start, "WINDOW_NOT_WEEKS", "must be a Monday")
	case to != facts.Monday(q.window.Last+1)-1:
		return fault.Invalid(end, "WINDOW_NOT_WEEKS", "must be a Sunday")
	case to < from:
		return fault.Invalid(end, "WINDOW_EMPTY", "must not be before the start date")
	case to >= today:
		return fault.Invalid(end, "WINDOW_NOT_ENDED", "must be a day that is over, in UTC")
	case q.window.Last-q.window.First >= maxWeeks:
		return fault.Invalid(end, "WINDOW_TOO_LONG", "must be at most %d weeks after the start date", maxWeeks)
	case q.week-q.window.First > maxWeeksAgo:
		return fault.Invalid(start, "WINDOW_TOO_OLD", "must be at most %d weeks ago", maxWeeksAgo)
	}
	ended := localdate.FromDays(int(to) + 1)
	least := time.Date(int(ended.GetYear()), time.Month(ended.GetMonth()), int(ended.GetDay()), 0, 0, 0, 0, time.UTC)
	if report.AsOf == nil {
		report.AsOf = timestamppb.New(least)
	}
	asOf := clock.Truncate(report.GetAsOf().AsTime())
	switch {
	case !report.GetAsOf().IsValid() || asOf.After(now):
		return fault.Invalid("cohort_report.as_of", "TIME_IN_FUTURE", "must be an instant that does not lie in the future")
	case asOf.Before(least):
		return fault.Invalid("cohort_report.as_of", "TIME_BEFORE_END", "must not be before the end of the window")
	}
	q.asOf = int32(localdate.Days(localdate.Of(asOf.Add(-time.Millisecond), time.UTC)))
	return nil
}

func checkDate(field string, date *datepb.Date) error {
	if date == nil {
		return fault.Invalid(field, "REQUIRED", "is required")
	}
	return localdate.CheckWhole(field, date)
}

// digest stands for a number of the report: what else it is about, and a group.
func (q *question) digest(about string, group map[string]string) int64 {
	parts := []string{about, q.filter}
	for _, key := range slices.Sorted(slices.Values(q.groupBy)) {
		if value, ok := group[key]; ok {
			parts = append(parts, key, value)
		}
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q", parts) // never fails
	return int64(h.Sum64())
}

// least is the least number of people behind a number of a metric.
func (q *question) least(m measure.Metric) int {
	if m.Strict || q.crosses {
		return q.strict
	}
	return q.minimum
}
