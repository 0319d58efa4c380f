package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/mongotest"
)

// process is a rebound of its own, to be killed.
type process struct {
	cmd  *exec.Cmd
	http string
	grpc string
}

var panel = regexp.MustCompile(`(?s)REST\s+http://(\S+).*journal (\S+)`)

// startProcess starts `rebound up` and waits for its panel.
func startProcess(t *testing.T, binary, data, database string) process {
	t.Helper()
	const free = "127.0.0.1:0"
	cmd := exec.Command(binary, "up", "--data", data, "--http", free, "--journal-grpc", free, "--goals-grpc", free, "--insights-grpc", free)
	if database != "" {
		cmd.Args = append(cmd.Args, "--mongo", os.Getenv("MONGODB_URI"), "--mongo-database", database)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		seen.WriteString(scanner.Text() + "\n")
		if m := panel.FindStringSubmatch(seen.String()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }() // so that it never blocks on a full pipe
			return process{cmd, m[1], m[2]}
		}
	}
	t.Fatalf("rebound up did not start:\n%s", seen.String())
	return process{}
}

// TestKill kills the process while clients write. What was acknowledged is there
// afterwards, once, and the log has each of its events, once and in order.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills a process; the whole suite does it")
	}
	binary, data := program(t, "rebound"), filepath.Join(t.TempDir(), "data")
	database := ""
	if os.Getenv("MONGODB_URI") != "" {
		database = mongotest.Database(t)
	}
	const writers, rounds, beforeKill = 8, 2, 150
	acknowledged := make([][]string, writers) // names, in the order of acknowledgement
	for round := range rounds {
		p := startProcess(t, binary, data, database)
		issuer, err := auth.OpenIssuer(data, clock.System)
		if err != nil {
			t.Fatal(err)
		}
		var total sync.WaitGroup
		enough := make(chan struct{}, writers*100_000)
		for w := range writers {
			token, err := issuer.Mint(auth.Claims{Subject: "w", Tenant: "acme", Person: fmt.Sprintf("w%d", w), Roles: []string{"person"}, TTL: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			total.Go(func() {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for i := 0; ; i++ {
					name, ok := create(client, p.http, token, w, round, i)
					if !ok {
						return // the process is dead
					}
					acknowledged[w] = append(acknowledged[w], name)
					enough <- struct{}{}
				}
			})
		}
		for range beforeKill {
			<-enough
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.cmd.Wait() // it was killed
		total.Wait()
	}

	p := startProcess(t, binary, data, database)
	defer func() {
		_ = p.cmd.Process.Signal(os.Interrupt)
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("it did not stop well: %v", err)
		}
	}()
	events := readLog(t, data, p.grpc, acknowledged)
	for w, names := range acknowledged {
		owner := fmt.Sprintf("tenants/acme/people/w%d", w)
		place := map[string]int{}
		for i, subject := range events[owner] {
			if _, twice := place[subject]; twice {
				t.Errorf("the log has two events about %s", subject)
			}
			place[subject] = i
		}
		last := -1
		for _, name := range names {
			at, ok := place[name]
			if !ok {
				t.Errorf("%s was acknowledged and has no event", name)
			}
			if at < last {
				t.Errorf("the event of %s is out of order", name)
			}
			last = at
		}
		t.Logf("writer %d: %d acknowledged, %d in the log", w, len(names), len(events[owner]))
	}
	checkThere(t, data, p.http, acknowledged)
}

func create(client *http.Client, addr, token string, w, round, i int) (string, bool) {
	url := fmt.Sprintf("http://%s/v1/tenants/acme/people/w%d/setbacks?setbackId=s-%d-%d", addr, w, round, i)
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(`{"title":"x"}`))
	if err != nil {
		return "", false
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return "", false
	}
	defer func() { _ = res.Body.Close() }()
	var made struct{ Name string }
	if res.StatusCode != http.StatusOK || json.NewDecoder(res.Body).Decode(&made) != nil {
		return "", false
	}
	return made.Name, true
}

// readLog gives the subjects of all events by owner, in order, once history has
// ended and there is one for each acknowledged name, or half a minute is over: on
// MongoDB what a killed relay left is relayed when its leases have run out.
func readLog(t *testing.T, data, addr string, acknowledged [][]string) map[string][]string {
	t.Helper()
	issuer, err := auth.OpenIssuer(data, clock.System)
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Mint(auth.Claims{Subject: "test", Roles: []string{"service"}, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token), 30*time.Second)
	defer cancel()
	stream, err := eventsv1.NewEventServiceClient(dial(t, addr)).StreamEvents(ctx, &eventsv1.StreamEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	last := map[int32]int64{}
	missing := map[string]bool{}
	for _, name := range slices.Concat(acknowledged...) {
		missing[name] = true
	}
	for ended := false; ; {
		res, err := stream.Recv()
		if ctx.Err() != nil {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range res.GetEvents() {
			if e.GetPosition() <= last[e.GetPartition()] {
				t.Errorf("position %d after %d", e.GetPosition(), last[e.GetPartition()])
			}
			last[e.GetPartition()] = e.GetPosition()
			out[e.GetOwner()] = append(out[e.GetOwner()], e.GetSubject())
			delete(missing, e.GetSubject())
		}
		if ended = ended || res.GetHistoryEnd(); ended && len(missing) == 0 {
			return out
		}
	}
}

// checkThere lists every writer's setbacks.
func checkThere(t *testing.T, data, addr string, acknowledged [][]string) {
	t.Helper()
	issuer, err := auth.OpenIssuer(data, clock.System)
	if err != nil {
		t.Fatal(err)
	}
	for w, names := range acknowledged {
		token, err := issuer.Mint(auth.Claims{Subject: "w", Tenant: "acme", Person: fmt.Sprintf("w%d", w), Roles: []string{"person"}, TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		for page := ""; ; {
			req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s/v1/tenants/acme/people/w%d/setbacks?pageSize=1000&pageToken=%s", addr, w, page), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			var list struct {
				Setbacks      []struct{ Name string }
				NextPageToken string
			}
			err = json.NewDecoder(res.Body).Decode(&list)
			_ = res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list.Setbacks {
				if there[s.Name] {
					t.Errorf("%s is listed twice", s.Name)
				}
				there[s.Name] = true
			}
			if page = list.NextPageToken; page == "" {
				break
			}
		}
		for _, name := range names {
			if !there[name] {
				t.Errorf("%s was acknowledged and is not there", name)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
