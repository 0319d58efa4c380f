package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/mongotest"
)

// TestReplicasRebuild: a process that was started to rebuild is killed in the middle of
// it. Another finishes, and answers all the while with all that is known; the old
// projections go.
func TestReplicasRebuild(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills programs; the whole suite does it")
	}
	mongotest.URI(t)
	r := newReplicas(t)
	goalsAt := freeAddress(t)
	journal := startDaemon(t, "journald", r.args("journald", "--source-goals", goalsAt)...)
	startDaemon(t, "goalsd", append(r.args("goalsd"), "--listen", goalsAt, "--source-journal", journal)...)
	insightsArgs := r.args("insightsd", "--source-journal", journal, "--source-goals", goalsAt)
	survivor := startDaemon(t, "insightsd", insightsArgs...)
	const people, rounds = 16, 4
	told := r.follow(survivor)
	for i := range rounds {
		r.recover(journal, people, i)
	}
	for range people * rounds {
		select {
		case <-told:
		case <-time.After(20 * time.Second):
			t.Fatal("insights do not come")
		}
	}
	known := func() (least int32) {
		least = rounds
		summaries := insightsv1.NewSummaryServiceClient(dial(t, survivor))
		for p := range people {
			person := fmt.Sprint("p", p)
			ctx := r.as(auth.Claims{Subject: person, Tenant: "acme", Person: person, Roles: []string{"person"}})
			s, err := summaries.GetSummary(ctx, &insightsv1.GetSummaryRequest{Name: "tenants/acme/people/" + person + "/summary"})
			if err != nil {
				t.Fatal(err)
			}
			least = min(least, s.GetRecoveredSetbacks())
		}
		return least
	}
	eventually(t, []string{"4"}, func() []string { return []string{fmt.Sprint(known())} })

	victim, _ := startProgram(t, "insightsd", append(insightsArgs, "--rebuild", "once")...)
	eventually(t, []string{"true"}, func() []string { return []string{fmt.Sprint(r.projections("/1") > 0)} })
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed
	for start := time.Now(); r.projections("") > 0; {
		if n := known(); n != rounds {
			t.Fatalf("while projections are rebuilt somebody is known to have recovered %d times of %d", n, rounds)
		}
		if time.Since(start) > 40*time.Second {
			t.Fatalf("after %v %d old projections and %d new ones are there", time.Since(start), r.projections(""), r.projections("/1"))
		}
	}
	if n := r.projections("/1"); n != people || known() != rounds {
		t.Errorf("%d rebuilt projections, want %d", n, people)
	}
	if len(told) > 0 {
		t.Errorf("%d insights were told again", len(told))
	}
}

// projections counts those whose names end so.
func (r *replicas) projections(end string) int64 {
	r.t.Helper()
	client := mongotest.Client(r.t, os.Getenv("MONGODB_URI"))
	defer func() { _ = client.Disconnect(context.Background()) }()
	n, err := client.Database(r.databases["insightsd"]).Collection("records").CountDocuments(r.t.Context(), bson.D{
		{Key: "kind", Value: "projection"}, {Key: "_id", Value: bson.D{{Key: "$regex", Value: "/projection" + end + "$"}}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}
