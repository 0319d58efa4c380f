// Package e2e drives the whole of Rebound from outside, over real HTTP and gRPC
// on loopback ports: on embedded stores, or on the MongoDB server that
// MONGODB_URI names.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/mongotest"
	"github.com/rebound-hq/rebound/tools/internal/system"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.Cleanup(func(code int) {
			removePrograms()
			os.Exit(code)
		}),
		// The caches of keys and consents have sweepers that live as long as the process.
		goleak.IgnoreAnyFunction("github.com/hashicorp/golang-lru/v2/expirable.NewLRU[...].func1"),
		// Idle connections of the test's own HTTP client.
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
	)
}

// allowedOrigin is where browsers may call from.
const allowedOrigin = "https://portal.example"

// rig is a running system.
type rig struct {
	t    *testing.T
	data string
	// mongo is the server, database begins its databases' names; both are empty
	// for embedded stores.
	mongo, database string
	// http is the address to serve REST on.
	http string
	// clock is what services tell the time by; nil: the system's.
	clock clock.Clock
	// retention is how many days the insight stream is kept; 0: the default.
	retention int
	logs      *lockedBuffer
	system    *system.System
	at        system.Addresses
	stop      func()
}

// lockedBuffer gathers log lines of many goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newRig starts a system on a fresh data folder; it is stopped when the test ends.
func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigAt(t, nil)
}

// newRigAt is newRig with a clock of its own.
func newRigAt(t *testing.T, now clock.Clock) *rig {
	t.Helper()
	r := &rig{t: t, clock: now, data: t.TempDir(), mongo: os.Getenv("MONGODB_URI"), http: "127.0.0.1:0", logs: &lockedBuffer{}, stop: func() {}}
	if r.mongo != "" {
		r.database = mongotest.Database(t)
	}
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

// start starts the system on the rig's data.
func (r *rig) start() {
	r.t.Helper()
	const free = "127.0.0.1:0"
	s, err := system.Open(context.Background(), system.Options{
		Data: r.data, HTTP: r.http, AllowedOrigins: []string{allowedOrigin}, Journal: free, Goals: free, Insights: free, Logs: r.logs, Heartbeat: 50 * time.Millisecond,
		Mongo: config.Secret(r.mongo), MongoDatabase: r.database, Clock: r.clock, RetentionDays: r.retention,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.system, r.at = s, s.Addresses()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("the system did not end well: %v\n%s", err, r.logs)
		}
	})
}

// token mints a token.
func (r *rig) token(tenant, person string, roles ...string) string {
	r.t.Helper()
	subject := person
	if subject == "" {
		subject = roles[0]
	}
	token, err := r.system.Issuer.Mint(auth.Claims{Subject: subject, Tenant: tenant, Person: person, Roles: roles, TTL: time.Hour})
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// client is a caller of the REST API.
type client struct {
	r     *rig
	token string
}

func (r *rig) as(tenant, person string, roles ...string) client {
	return client{r, r.token(tenant, person, roles...)}
}

// object is a JSON object.
type object map[string]any

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   object
	raw    string
}

// do sends a request; body is JSON text, or nothing.
func (c client) do(method, path, body string, headers ...string) answer {
	c.r.t.Helper()
	req, err := http.NewRequestWithContext(c.r.t.Context(), method, "http://"+c.r.at.HTTP+path, strings.NewReader(body))
	if err != nil {
		c.r.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.r.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, raw: string(text)}
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(text, &a.body); err != nil {
			c.r.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return a
}

// must sends a request that has to go well.
func (c client) must(method, path, body string) object {
	c.r.t.Helper()
	a := c.do(method, path, body)
	if a.status != http.StatusOK {
		c.r.t.Fatalf("%s %s: %d %s", method, path, a.status, a.raw)
	}
	return a.body
}

// refused sends a request that has to fail in one way and gives the problem.
func (c client) refused(method, path, body string, status int, reason string, headers ...string) object {
	c.r.t.Helper()
	a := c.do(method, path, body, headers...)
	if a.status != status || a.body["reason"] != reason {
		c.r.t.Errorf("%s %.120s: got %d %v, want %d %s: %s", method, path, a.status, a.body["reason"], status, reason, a.raw)
	}
	if a.body["requestId"] == "" || a.header.Get("Content-Type") != "application/problem+json" {
		c.r.t.Errorf("%s %.120s: not a whole problem document: %s", method, path, a.raw)
	}
	return a.body
}

// line is one insight or mark on a stream.
type line struct {
	kind    string
	name    string
	token   string
	end     bool
	insight object
	// snapshotEnd is the mark after a snapshot, gone a person who was erased.
	snapshotEnd bool
	gone        string
}

// follow opens the NDJSON stream and gives its lines until the test ends or
// close is called.
func (c client) follow(path string) (lines <-chan line, closeStream func()) {
	c.r.t.Helper()
	ctx, cancel := context.WithCancel(c.r.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.r.at.HTTP+path, nil)
	if err != nil {
		c.r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.r.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		c.r.t.Fatalf("stream %s: %d %s", path, res.StatusCode, text)
	}
	out := make(chan line, 1000)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(out)
		scanner := bufio.NewScanner(res.Body)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			var v struct {
				Insight                 object
				Tombstone               struct{ Person string }
				NextToken               string
				HistoryEnd, SnapshotEnd bool
			}
			if json.Unmarshal(scanner.Bytes(), &v) != nil {
				return
			}
			l := line{token: v.NextToken, end: v.HistoryEnd, insight: v.Insight, snapshotEnd: v.SnapshotEnd, gone: v.Tombstone.Person}
			if v.Insight != nil {
				l.kind, _ = v.Insight["kind"].(string)
				l.name, _ = v.Insight["name"].(string)
			}
			out <- l
		}
	}()
	closeStream = sync.OnceFunc(func() {
		cancel()
		<-ended
		_ = res.Body.Close()
	})
	c.r.t.Cleanup(closeStream)
	return out, closeStream
}

// collect reads lines until want insights have come, and gives their names, and
// the token after the last.
func collect(t *testing.T, lines <-chan line, want int) (insights []line, token string) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		if len(insights) >= want && token != "" {
			return insights, token
		}
		select {
		case l, ok := <-lines:
			if !ok {
				t.Fatalf("the stream ended after %d of %d insights", len(insights), want)
			}
			if l.insight != nil {
				insights = append(insights, l)
				token = "" // a newer one must come
			} else if l.token != "" {
				token = l.token
			}
		case <-timeout:
			t.Fatalf("%d of %d insights came", len(insights), want)
		}
	}
}

// eventually asks until the answer is what is wanted.
func eventually(t *testing.T, want []string, ask func() []string) {
	t.Helper()
	var got []string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got = ask(); slices.Equal(got, want) {
			return
		}
	}
	t.Fatalf("got %v, want %v", got, want)
}

func kinds(lines []line) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.TrimPrefix(l.kind, "INSIGHT_KIND_")
	}
	return out
}

// stored gives everything that is on disk or in the databases, by file or
// collection.
func (r *rig) stored() map[string][]byte {
	r.t.Helper()
	out := map[string][]byte{}
	found, err := filepath.Glob(filepath.Join(r.data, "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, path := range found {
		if out[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			r.t.Fatal(err)
		}
	}
	if r.mongo == "" {
		return out
	}
	client := mongotest.Client(r.t, r.mongo)
	defer func() { _ = client.Disconnect(r.t.Context()) }()
	for _, service := range []string{"journal", "goals", "insights"} {
		db := client.Database(r.database + "_" + service)
		names, err := db.ListCollectionNames(r.t.Context(), bson.D{})
		if err != nil || len(names) == 0 {
			r.t.Fatalf("%d collections of %s: %v", len(names), service, err)
		}
		for _, name := range names {
			cur, err := db.Collection(name).Find(r.t.Context(), bson.D{})
			if err != nil {
				r.t.Fatal(err)
			}
			for cur.Next(r.t.Context()) {
				out[service+"."+name] = append(out[service+"."+name], cur.Current...)
			}
			if err := cur.Err(); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	return out
}
