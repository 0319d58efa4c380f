package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/mongotest"
)

// replicas is services that run apart on MongoDB, without TLS.
type replicas struct {
	t         *testing.T
	dir       string
	issuer    *auth.Issuer
	tokenFile string
	databases map[string]string
}

func newReplicas(t *testing.T) *replicas {
	t.Helper()
	r := &replicas{t: t, dir: t.TempDir(), databases: map[string]string{}}
	for _, name := range []string{"journald", "goalsd", "insightsd"} {
		r.databases[name] = mongotest.Database(t)
	}
	var err error
	if r.issuer, err = auth.OpenIssuer(r.dir, clock.System); err != nil {
		t.Fatal(err)
	}
	r.tokenFile = filepath.Join(r.dir, "service-token")
	if err := os.WriteFile(r.tokenFile, []byte(r.mint(auth.Claims{Subject: "insights", Roles: []string{"service"}})), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *replicas) mint(c auth.Claims) string {
	r.t.Helper()
	c.TTL = time.Hour
	token, err := r.issuer.Mint(c)
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// as gives a context to call with.
func (r *replicas) as(c auth.Claims) context.Context {
	return metadata.AppendToOutgoingContext(r.t.Context(), "authorization", "Bearer "+r.mint(c))
}

// args are the settings of a program.
func (r *replicas) args(name string, more ...string) []string {
	return append([]string{
		"--listen", "127.0.0.1:0", "--keys-file", filepath.Join(r.dir, "keys.json"), "--source-token-file", r.tokenFile,
		"--auth-issuer", auth.DevIssuer, "--auth-jwks-file", r.issuer.JWKSFile(),
		"--store-driver", "mongo", "--store-uri", os.Getenv("MONGODB_URI"), "--store-database", r.databases[name],
	}, more...)
}

// parts gives how many shares each process of insights has, in order.
func (r *replicas) parts() []string {
	r.t.Helper()
	client := mongotest.Client(r.t, os.Getenv("MONGODB_URI"))
	defer func() { _ = client.Disconnect(context.Background()) }()
	var rec struct {
		Body struct {
			Members []struct{ Shares []int32 }
		}
	}
	err := client.Database(r.databases["insightsd"]).Collection("records").FindOne(r.t.Context(), bson.D{{Key: "_id", Value: "rosters/events-8"}}).Decode(&rec)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, m := range rec.Body.Members {
		out = append(out, fmt.Sprint(len(m.Shares)))
	}
	return out
}

// TestReplicasTakeOver: of two insights processes one is killed while people write.
// The other takes over its shares within seconds; each insight is told, once.
func TestReplicasTakeOver(t *testing.T) {
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
	victim, _ := startProgram(t, "insightsd", insightsArgs...)
	eventually(t, []string{"4", "4"}, r.parts)

	const people, before, after = 16, 5, 5
	told := r.follow(survivor)
	var recovered []string
	for i := range before {
		recovered = append(recovered, r.recover(journal, people, i)...)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	_ = victim.Wait() // it was killed
	for i := range after {
		recovered = append(recovered, r.recover(journal, people, before+i)...)
	}
	missing := map[string]bool{}
	for _, name := range recovered {
		missing[name] = true
	}
	seen, timeout := map[string]int{}, time.After(30*time.Second)
	for len(missing) > 0 {
		select {
		case subject := <-told:
			delete(missing, subject)
			seen[subject]++
		case <-timeout:
			t.Fatalf("%d of %d insights have not come, half a minute after the kill", len(missing), len(recovered))
		}
	}
	took := time.Since(killed)
	t.Logf("%d insights; the last of them %v after the kill", len(recovered), took.Round(100*time.Millisecond))
	if took > 20*time.Second {
		t.Errorf("taking over took %v", took)
	}
	eventually(t, []string{"8"}, r.parts)
	for len(told) > 0 {
		seen[<-told]++
	}
	for _, name := range recovered {
		if seen[name] != 1 {
			t.Errorf("%s was told %d times", name, seen[name])
		}
	}
}

// recover has each of some people record a setback and recover from it, and gives the
// setbacks.
func (r *replicas) recover(journal string, people, round int) []string {
	r.t.Helper()
	setbacks := journalv1.NewSetbackServiceClient(dial(r.t, journal))
	var names []string
	for p := range people {
		person := fmt.Sprint("p", p)
		ctx := r.as(auth.Claims{Subject: person, Tenant: "acme", Person: person, Roles: []string{"person"}})
		s, err := setbacks.CreateSetback(ctx, &journalv1.CreateSetbackRequest{
			Parent: "tenants/acme/people/" + person, SetbackId: fmt.Sprint("s", round), Setback: &journalv1.Setback{Title: "x"},
		})
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err := setbacks.RecoverSetback(ctx, &journalv1.RecoverSetbackRequest{Name: s.GetName()}); err != nil {
			r.t.Fatal(err)
		}
		names = append(names, s.GetName())
	}
	return names
}

// follow gives what insights are about, as they come into the log.
func (r *replicas) follow(target string) <-chan string {
	r.t.Helper()
	ctx := r.as(auth.Claims{Subject: "test", Roles: []string{"service"}})
	stream, err := eventsv1.NewEventServiceClient(dial(r.t, target)).StreamEvents(ctx, &eventsv1.StreamEventsRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	out := make(chan string, 1000)
	go func() {
		for {
			res, err := stream.Recv()
			if err != nil {
				return // the test has ended
			}
			for _, e := range res.GetEvents() {
				out <- e.GetInsight().GetSubjects()[0]
			}
		}
	}()
	return out
}

// TestShareRefused: a share that cannot be is the caller's mistake, which names the
// field.
func TestShareRefused(t *testing.T) {
	r := newRig(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("", "", "service"))
	c := eventsv1.NewEventServiceClient(dial(t, r.at.Journal))
	for _, row := range []struct {
		share, shares int32
		field         string
	}{
		{-1, 0, "share"}, {1, 0, "share"}, {-1, 8, "share"}, {8, 8, "share"}, {0, -1, "shares"}, {0, 1025, "shares"},
		{0, 0, ""}, {0, 1, ""}, {7, 8, ""}, {1023, 1024, ""},
	} {
		stream, err := c.StreamEvents(ctx, &eventsv1.StreamEventsRequest{Share: row.share, Shares: row.shares})
		if err == nil {
			_, err = stream.Recv()
		}
		if row.field == "" {
			if err != nil {
				t.Errorf("share %d of %d: %v", row.share, row.shares, err)
			}
			continue
		}
		if status.Code(err) != codes.InvalidArgument || !slices.Contains(violated(err), row.field) {
			t.Errorf("share %d of %d: %v", row.share, row.shares, err)
		}
	}
}

// violated gives the fields that an error blames.
func violated(err error) []string {
	var out []string
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				out = append(out, v.GetField())
			}
		}
	}
	return out
}
