package facts_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
)

const acme = "tenants/acme"

func open(t testing.TB) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), sqlite.Options{
		Path: filepath.Join(t.TempDir(), "insights.db"), Schema: store.Schema{Version: 1, Kinds: []store.Kind{facts.Kind()}}, NewID: ids.Random,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func owner(tenant string, i int) string { return fmt.Sprintf("%s/people/p%06d", tenant, i) }

// put writes facts of people as another process does, by its own clock.
func put(t testing.TB, s store.Documents, at time.Time, all ...*storagev1.WeeklyFacts) {
	t.Helper()
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.GetName()
	}
	found, err := s.GetBatch(t.Context(), facts.KindName, names)
	if err != nil {
		t.Fatal(err)
	}
	writes := make([]store.Write, len(all))
	for i, f := range all {
		rec, ok := found[f.GetName()]
		op := store.Replace
		if !ok {
			op, rec = store.Insert, store.Record{Kind: facts.KindName, Name: f.GetName(), CreateTime: at}
			rec.Owner, _, _ = strings.Cut(f.GetName(), "/"+facts.KindName)
			rec.Parent = rec.Owner
		}
		rec.UpdateTime, rec.Body = at, f
		writes[i] = store.Write{Op: op, Record: rec}
	}
	for _, res := range s.Commit(t.Context(), writes...) {
		if res.Err != nil {
			t.Fatal(res.Err)
		}
	}
}

// some gives facts of a person with a mood to tell them by.
func some(owner string, mood int32) *storagev1.WeeklyFacts {
	return &storagev1.WeeklyFacts{
		Name: facts.Name(owner), Weeks: []*storagev1.WeekEntry{{Week: 2900, MoodSum: mood, CheckIns: 1}},
		Affiliations: []*storagev1.AffiliationFrom{{From: 1, Attributes: map[string]string{"team": fmt.Sprint(mood % 3), "site": "berlin"}}},
	}
}

func erased(owner string) *storagev1.WeeklyFacts {
	return &storagev1.WeeklyFacts{Name: facts.Name(owner), Erased: true}
}

func people(t testing.TB, table *facts.Table, tenant string) []*facts.Person {
	t.Helper()
	got, err := table.People(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// moods are people as text.
func moods(of []*facts.Person) string {
	out := ""
	for _, p := range of {
		out += fmt.Sprintf("%s=%d ", p.Owner, p.Weeks[0].MoodSum)
	}
	return out
}

// TestTablesSeeEachOther: whatever is written, by whichever process, every table gives
// what is there, in order; what it gave before stays as it was.
func TestTablesSeeEachOther(t *testing.T) {
	s := open(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		tenant, now := fmt.Sprintf("tenants/t%d", n), clock.NewManual(begin)
		tables := []*facts.Table{facts.NewTable(s, now.Now, facts.DefaultTableBytes), facts.NewTable(s, now.Now, facts.DefaultTableBytes)}
		there := map[string]int32{}
		var before []*facts.Person
		var was string
		for range rapid.IntRange(1, 25).Draw(rt, "turns") {
			who := owner(tenant, rapid.IntRange(0, 9).Draw(rt, "who"))
			now.Advance(time.Duration(rapid.IntRange(0, 40).Draw(rt, "seconds")) * time.Second)
			skewed := now.Now().Add(time.Duration(rapid.IntRange(-29, 29).Draw(rt, "skew")) * time.Second)
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0, 1:
				there[who]++
				put(t, s, skewed, some(who, there[who]))
			case 2:
				delete(there, who)
				put(t, s, skewed, erased(who))
			default:
				want := ""
				for i := range 10 {
					if mood, ok := there[owner(tenant, i)]; ok {
						want += fmt.Sprintf("%s=%d ", owner(tenant, i), mood)
					}
				}
				table := tables[rapid.IntRange(0, 1).Draw(rt, "table")]
				if got := people(t, table, tenant); moods(got) != want {
					rt.Fatalf("\ngot  %s\nwant %s", moods(got), want)
				} else if moods(before) != was {
					rt.Fatalf("what was given has changed: %s, was %s", moods(before), was)
				} else {
					before, was = got, want
				}
			}
		}
	})
}

// TestPages: more people than a page holds, and more than one tenant.
func TestPages(t *testing.T) {
	s := open(t)
	table := facts.NewTable(s, clock.NewManual(begin).Now, facts.DefaultTableBytes)
	var all []*storagev1.WeeklyFacts
	for i := range 2*store.MaxPage + 1 {
		all = append(all, some(owner(acme, (i*7919)%(2*store.MaxPage+1)), int32(i)))
	}
	for part := range slices.Chunk(all, store.MaxPage) {
		put(t, s, begin, part...)
	}
	put(t, s, begin, some(owner("tenants/acme2", 1), 1))
	got := people(t, table, acme)
	if len(got) != len(all) || !slices.IsSortedFunc(got, func(a, b *facts.Person) int { return strings.Compare(a.Owner, b.Owner) }) {
		t.Fatalf("%d people, want %d in order", len(got), len(all))
	}
	if a, b := got[0].At(5), got[1].At(5); a["site"] != "berlin" || b["site"] != "berlin" {
		t.Fatalf("%v, %v", a, b)
	}
	if other := people(t, table, "tenants/acme2"); len(other) != 1 {
		t.Fatalf("%d people of another tenant", len(other))
	}
	if none := people(t, table, "tenants/nobody"); len(none) != 0 {
		t.Fatalf("%d people of a tenant that has none", len(none))
	}
}

// TestTenants: each once, those whose names begin alike among them.
func TestTenants(t *testing.T) {
	s := open(t)
	table := facts.NewTable(s, clock.NewManual(begin).Now, facts.DefaultTableBytes)
	want := []string{"tenants/a", "tenants/a-b", "tenants/a0", "tenants/ab", "tenants/b"}
	for _, tenant := range want {
		for i := range 3 {
			put(t, s, begin, some(owner(tenant, i), 1))
		}
	}
	got, err := table.Tenants(t.Context())
	if slices.Sort(got); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestScope: facts whose names go on are read apart, by tables that ask for them.
func TestScope(t *testing.T) {
	s, now := open(t), clock.NewManual(begin)
	second := func(name string) string { return name + "/2" }
	for i := range 3 {
		put(t, s, now.Now(), some(owner(acme, i), 1))
	}
	later := some(owner(acme, 1), 7)
	later.Name = second(later.GetName())
	put(t, s, now.Now(), later)
	table := facts.NewTable(s, now.Now, facts.DefaultTableBytes)
	if got := people(t, table, acme); len(got) != 3 {
		t.Fatalf("%d people", len(got))
	}
	table.Scope = second
	if got := people(t, table, acme); moods(got) != owner(acme, 1)+"=7 " {
		t.Fatalf("%s", moods(got))
	}
}

// counting counts the lists.
type counting struct {
	store.Documents
	mu    sync.Mutex
	lists int
	rows  int
}

func (c *counting) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := c.Documents.List(ctx, q)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists++
	c.rows += len(page.Records)
	return page, err
}

// TestReadsWhatChanged: people are read once, and then only those that have changed.
func TestReadsWhatChanged(t *testing.T) {
	s, now := open(t), clock.NewManual(begin)
	docs := &counting{Documents: s}
	table := facts.NewTable(docs, now.Now, facts.DefaultTableBytes)
	for i := range 50 {
		put(t, s, now.Now(), some(owner(acme, i), 1))
	}
	now.Advance(time.Minute)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if got, err := table.People(t.Context(), acme); err != nil || len(got) != 50 {
				t.Errorf("%d people, %v", len(got), err)
			}
		})
	}
	group.Wait()
	if docs.rows != 50 {
		t.Fatalf("%d rows were read of 50", docs.rows)
	}
	put(t, s, now.Now(), some(owner(acme, 7), 2), some(owner(acme, 99), 2))
	if got := people(t, table, acme); len(got) != 51 || docs.rows != 52 || got[7].Weeks[0].MoodSum != 2 || got[50].Owner != owner(acme, 99) {
		t.Fatalf("%d people, %d rows", len(got), docs.rows)
	}
}

// TestLeastUsedGoes: a table keeps within its bounds, and gives what it dropped again.
func TestLeastUsedGoes(t *testing.T) {
	s, now := open(t), clock.NewManual(begin)
	docs := &counting{Documents: s}
	table := facts.NewTable(docs, now.Now, 12_000)
	for _, tenant := range []string{"tenants/a", "tenants/b", "tenants/c"} {
		for i := range 20 { // of some 250 bytes each
			put(t, s, now.Now(), some(owner(tenant, i), 1))
		}
	}
	now.Advance(time.Minute)
	for _, c := range []struct {
		tenant string
		rows   int
	}{{"tenants/a", 20}, {"tenants/a", 20}, {"tenants/b", 40}, {"tenants/a", 40}, {"tenants/c", 60}, {"tenants/c", 60}, {"tenants/b", 80}} {
		if got := people(t, table, c.tenant); len(got) != 20 || docs.rows != c.rows {
			t.Fatalf("%s: %d people, %d rows, want %d", c.tenant, len(got), docs.rows, c.rows)
		}
		now.Advance(time.Minute)
	}
}

// TestEndsWithTheCall: a call that ends while another one reads does not wait for it.
func TestEndsWithTheCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	table := facts.NewTable(open(t), clock.NewManual(begin).Now, facts.DefaultTableBytes)
	if _, err := table.People(ctx, acme); err == nil {
		t.Fatal("it was answered")
	}
	if got := people(t, table, acme); len(got) != 0 {
		t.Fatalf("%d people", len(got))
	}
}
