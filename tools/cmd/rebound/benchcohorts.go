package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/tools/internal/bench"
	"github.com/rebound-hq/rebound/tools/internal/system"
)

// cohorting is what --only finds the cohort reports by.
const cohorting = "cohort report"

const (
	week = 7 * 24 * time.Hour
	// cohortWeeks is how many weeks a report is about.
	cohortWeeks = 12
	// earlierWeeks are those before the weeks of the last report.
	earlierWeeks = 5
	// departments is how many groups a report has.
	departments = 10
)

// cohortBegin is the Monday on which the weeks begin.
var cohortBegin = time.Date(2026, 8, 3, 8, 0, 0, 0, time.UTC)

// cohortRig is a system of its own whose clock is moved by hand: those who are
// counted consented before the weeks in which they are.
type cohortRig struct {
	system            *system.System
	clock             *clock.Manual
	workers           int
	journal, insights *grpc.ClientConn
}

// cohorts times reports by all metrics over tenants of several sizes.
func (b *benchCommand) cohorts(ctx context.Context) ([]bench.Figure, error) {
	r := &cohortRig{clock: clock.NewManual(cohortBegin.Add(-week)), workers: b.Workers}
	return onSystem(ctx, r.clock.Now, func(s *system.System, _ string) (figures []bench.Figure, err error) {
		r.system = s
		at := s.Addresses()
		if r.journal, err = rpc.Dial(at.Journal, rpc.DialOptions{Limits: rpc.DefaultLimits()}); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.journal.Close()) }()
		if r.insights, err = rpc.Dial(at.Insights, rpc.DialOptions{Limits: rpc.DefaultLimits()}); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.insights.Close()) }()
		return r.reports(ctx, b.Cohorts)
	})
}

// reports has tenants of all sizes live their weeks, then, once the insights service knows
// everything, reports on them.
func (r *cohortRig) reports(ctx context.Context, sizes []int) ([]bench.Figure, error) {
	for _, size := range sizes {
		if err := r.each(ctx, size, r.join); err != nil {
			return nil, err
		}
	}
	r.clock.Advance((earlierWeeks+cohortWeeks+1)*week + 24*time.Hour)
	for _, size := range sizes {
		if err := r.each(ctx, size, r.live); err != nil {
			return nil, err
		}
	}
	for _, size := range sizes {
		if err := r.each(ctx, size, r.known); err != nil {
			return nil, err
		}
	}
	var figures []bench.Figure
	for _, size := range sizes {
		// What was written just now is read again each time, for clocks that differ.
		r.clock.Advance(10 * time.Minute)
		f, err := r.report(ctx, size)
		if err != nil {
			return nil, err
		}
		figures = append(figures, f...)
	}
	return figures, nil
}

// each does something for each person of a tenant.
func (r *cohortRig) each(ctx context.Context, size int, do func(ctx context.Context, size, i int) error) error {
	return each(ctx, r.workers, size, func(ctx context.Context, i int) error { return do(ctx, size, i) })
}

func cohortTenant(size int) string { return fmt.Sprintf("cohort%d", size) }
func cohortPerson(size, i int) string {
	return fmt.Sprintf("tenants/%s/people/p%d", cohortTenant(size), i)
}
func cohortMember(i int) (person string) { return fmt.Sprintf("p%d", i) }

// as gives a context that calls as somebody of a tenant.
func (r *cohortRig) as(ctx context.Context, size int, person, role string) (context.Context, error) {
	token, err := r.system.Issuer.Mint(auth.Claims{
		Subject: role, Tenant: cohortTenant(size), Person: person, Roles: []string{role}, TTL: 24 * time.Hour,
	})
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), err
}

// join lets a person consent and gives them a department.
func (r *cohortRig) join(ctx context.Context, size, i int) error {
	self, err := r.as(ctx, size, cohortMember(i), "person")
	if err != nil {
		return err
	}
	_, err = journalv1.NewProfileServiceClient(r.journal).UpdateProfile(self, &journalv1.UpdateProfileRequest{
		Profile:    &journalv1.Profile{Name: cohortPerson(size, i) + "/profile", Consents: &journalv1.Consents{AggregateInsights: true}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"consents.aggregate_insights"}},
	})
	if err != nil {
		return err
	}
	admin, err := r.as(ctx, size, "", "admin")
	if err != nil {
		return err
	}
	_, err = journalv1.NewAffiliationServiceClient(r.journal).UpdateAffiliation(admin, &journalv1.UpdateAffiliationRequest{
		Affiliation: &journalv1.Affiliation{
			Name: cohortPerson(size, i) + "/affiliation", Attributes: map[string]string{"department": fmt.Sprintf("d%d", i%departments)},
		},
	})
	return err
}

// live has a person check in once a week.
func (r *cohortRig) live(ctx context.Context, size, i int) error {
	self, err := r.as(ctx, size, cohortMember(i), "person")
	if err != nil {
		return err
	}
	checkIns := journalv1.NewCheckInServiceClient(r.journal)
	for w := range earlierWeeks + cohortWeeks {
		_, err := checkIns.CreateCheckIn(self, &journalv1.CreateCheckInRequest{
			Parent: cohortPerson(size, i),
			CheckIn: &journalv1.CheckIn{
				Pleasantness: new(int32((i+w)%11 - 5)), Energy: new(int32(0)), Time: timestamppb.New(cohortBegin.Add(time.Duration(w)*week + time.Duration(i%120)*time.Hour)),
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// report times reports, of all metrics at once: the very first, which reads the people;
// others for the first time, each about other weeks; and the last of those again.
func (r *cohortRig) report(ctx context.Context, size int) ([]bench.Figure, error) {
	analyst, err := r.as(ctx, size, "", "analyst")
	if err != nil {
		return nil, err
	}
	ask, figures := r.ask(size), []bench.Figure(nil)
	for _, turn := range []struct {
		what string
		ago  []int
	}{{"the very first", []int{5}}, {"first", []int{4, 3, 2, 1, 0}}, {"again", []int{0, 0, 0, 0, 0}}} {
		var latencies bench.Latencies
		begun := time.Now()
		for _, ago := range turn.ago {
			at := time.Now()
			if err := ask(analyst, ago); err != nil {
				return nil, err
			}
			latencies.Add(time.Since(at))
		}
		figures = append(figures, latencies.Figure(fmt.Sprintf("%s, %d people, %s", cohorting, size, turn.what), time.Since(begun)))
	}
	return figures, nil
}

// ask gives what asks for a report whose window ended so many weeks ago.
func (r *cohortRig) ask(size int) func(ctx context.Context, ago int) error {
	reports := insightsv1.NewCohortReportServiceClient(r.insights)
	var metrics []insightsv1.CohortMetric
	for m := range insightsv1.CohortMetric_name {
		if m != 0 {
			metrics = append(metrics, insightsv1.CohortMetric(m))
		}
	}
	return func(ctx context.Context, ago int) error {
		from := cohortBegin.Add(time.Duration(earlierWeeks-ago) * week)
		_, err := reports.CreateCohortReport(ctx, &insightsv1.CreateCohortReportRequest{
			Parent: "tenants/" + cohortTenant(size),
			CohortReport: &insightsv1.CohortReport{
				Metrics: metrics, GroupBy: []string{"department"},
				Window: &insightsv1.CohortWindow{StartDate: localdate.Of(from, time.UTC), EndDate: localdate.Of(from.Add(cohortWeeks*week-24*time.Hour), time.UTC)},
			},
		})
		return err
	}
}

// known waits until the insights service has a person's last check-in.
func (r *cohortRig) known(ctx context.Context, size, i int) error {
	self, err := r.as(ctx, size, cohortMember(i), "person")
	if err != nil {
		return err
	}
	summaries := insightsv1.NewSummaryServiceClient(r.insights)
	for {
		s, err := summaries.GetSummary(self, &insightsv1.GetSummaryRequest{Name: cohortPerson(size, i) + "/summary"})
		if err != nil || s.GetMood().GetN() == earlierWeeks+cohortWeeks {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}
