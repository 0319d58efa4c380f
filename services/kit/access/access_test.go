package access_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ada, cara = "tenants/acme/people/ada", "tenants/acme/people/cara"

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func resourceGrant(name string) *journalv1.Grant {
	return &journalv1.Grant{Name: ada + "/grants/r", Scope: &journalv1.GrantScope{Scope: &journalv1.GrantScope_Resource{Resource: ada + "/" + name}}}
}

func kindGrant(kind string) *journalv1.Grant {
	return &journalv1.Grant{Name: ada + "/grants/k", Scope: &journalv1.GrantScope{Scope: &journalv1.GrantScope_Kind{Kind: kind}}}
}

func tagGrant(tag string) *journalv1.Grant {
	return &journalv1.Grant{Name: ada + "/grants/t", Scope: &journalv1.GrantScope{Scope: &journalv1.GrantScope_Tag{Tag: tag}}}
}

func timed(g *journalv1.Grant, from, until time.Time) *journalv1.Grant {
	if !from.IsZero() {
		g.SharedFrom = timestamppb.New(from)
	}
	if !until.IsZero() {
		g.SharedUntil = timestamppb.New(until)
	}
	return g
}

func TestCovers(t *testing.T) {
	setback := func(id string, tags ...string) store.Record {
		name := ada + "/setbacks/" + id
		return store.Record{Kind: "setbacks", Name: name, Owner: ada, CreateTime: noon, Body: &journalv1.Setback{Name: name, Tags: tags}}
	}
	debrief := store.Record{Kind: "debriefs", Name: ada + "/setbacks/a/debriefs/d", Owner: ada, CreateTime: noon, Body: &journalv1.Debrief{}}
	graces := setback("a")
	graces.Owner, graces.Name = "tenants/acme/people/grace", "tenants/acme/people/grace/setbacks/a"
	var never time.Time
	for name, c := range map[string]struct {
		grant *journalv1.Grant
		rec   store.Record
		want  bool
	}{
		"the resource":                  {resourceGrant("setbacks/a"), setback("a"), true},
		"what lies below":               {resourceGrant("setbacks/a"), debrief, true},
		"one whose id begins the same":  {resourceGrant("setbacks/a"), setback("ab"), false},
		"a kind":                        {kindGrant("setbacks"), setback("b"), true},
		"a kind is not what lies below": {kindGrant("setbacks"), debrief, false},
		"a kind below":                  {kindGrant("debriefs"), debrief, true},
		"a tag":                         {tagGrant("work"), setback("a", "home", "work"), true},
		"another tag":                   {tagGrant("work"), setback("a", "workshop"), false},
		"no tags at all":                {tagGrant("work"), debrief, false},
		"from its very time":            {timed(kindGrant("setbacks"), noon, never), setback("a"), true},
		"written before":                {timed(kindGrant("setbacks"), noon.Add(time.Millisecond), never), setback("a"), false},
		"until its very time":           {timed(kindGrant("setbacks"), never, noon), setback("a"), false},
		"written before the end":        {timed(kindGrant("setbacks"), never, noon.Add(time.Millisecond)), setback("a"), true},
		"somebody else's":               {kindGrant("setbacks"), graces, false},
	} {
		grant, ok := access.NewView(ada, cara, []*journalv1.Grant{c.grant}).Covers(c.rec)
		if ok != c.want || ok && grant != c.grant.GetName() {
			t.Errorf("%s: %v by %q", name, ok, grant)
		}
	}
	// What a grant says depends on more than a name is not covered by name.
	for _, g := range []*journalv1.Grant{timed(kindGrant("setbacks"), noon, never), tagGrant("work")} {
		if _, ok := access.NewView(ada, cara, []*journalv1.Grant{g}).CoversName(ada + "/setbacks/a"); ok {
			t.Errorf("%v covers a name", g.GetScope())
		}
	}
}

// records is a store of which nothing but GetBatch is asked.
type records struct {
	store.Documents
	byName map[string]store.Record
}

func (r records) GetBatch(_ context.Context, kind string, names []string) (map[string]store.Record, error) {
	if kind == "goals" {
		return nil, fmt.Errorf("%w: no kind %q", store.ErrInvalid, kind)
	}
	out := map[string]store.Record{}
	for _, name := range names {
		if rec, ok := r.byName[name]; ok {
			out[name] = rec
		}
	}
	return out, nil
}

// TestHide: what a document names and the reader may not see is taken out, wherever
// it stands.
func TestHide(t *testing.T) {
	work, home, gone := ada+"/setbacks/work", ada+"/setbacks/home", ada+"/setbacks/gone"
	docs := records{byName: map[string]store.Record{}}
	for name, tag := range map[string]string{work: "work", home: "home"} {
		docs.byName[name] = store.Record{Kind: "setbacks", Name: name, Owner: ada, CreateTime: noon, Body: &journalv1.Setback{Tags: []string{tag}}}
	}
	v := access.NewView(ada, cara, []*journalv1.Grant{tagGrant("work"), kindGrant("strengths"), kindGrant("lessons")})
	strength := &journalv1.Strength{Name: ada + "/strengths/s", Evidence: []*journalv1.Evidence{{Text: "1", Setback: work}, {Text: "2", Setback: home}, {Text: "3", Setback: gone}}}
	lesson := &journalv1.Lesson{Name: ada + "/lessons/l", Goal: ada + "/goals/g", Setback: work}
	version := &journalv1.StoryVersion{Name: ada + "/stories/s/versions/v", LibraryStory: "tenants/acme/libraryStories/x"}
	insight := &insightsv1.Insight{Name: ada + "/insights/i", Subjects: []string{home, ada + "/lessons/l", work}}
	if err := v.Hide(t.Context(), docs, strength, lesson, version, insight); err != nil {
		t.Fatal(err)
	}
	if e := strength.GetEvidence(); e[0].GetSetback() != work || e[1].GetSetback() != "" || e[2].GetSetback() != "" || e[1].GetText() != "2" {
		t.Errorf("%v", strength)
	}
	if lesson.GetSetback() != work || lesson.GetGoal() != "" || lesson.GetName() == "" {
		t.Errorf("%v", lesson)
	}
	if version.GetLibraryStory() != "" {
		t.Errorf("%v", version)
	}
	if s := insight.GetSubjects(); len(s) != 2 || s[0] != ada+"/lessons/l" || s[1] != work {
		t.Errorf("%v", s)
	}
	// Without a store only names count.
	insight.Subjects = []string{work, ada + "/lessons/l"}
	if err := v.Hide(t.Context(), nil, insight); err != nil || len(insight.GetSubjects()) != 1 {
		t.Errorf("%v %v", insight, err)
	}
}

// keeper is an authority that keeps entries, when it is let.
type keeper struct {
	access.Authority
	mu      sync.Mutex
	let     chan error
	batches [][]*journalv1.AccessLogEntry
}

func (k *keeper) Record(_ context.Context, entries []*journalv1.AccessLogEntry) error {
	err := <-k.let
	k.mu.Lock()
	defer k.mu.Unlock()
	k.batches = append(k.batches, entries)
	return err
}

// TestLogBatches: those who come while others are being recorded go together, and
// each knows what became of its own.
func TestLogBatches(t *testing.T) {
	k := &keeper{let: make(chan error)}
	log := access.NewLog(k)
	const n = access.MaxBatch + 3
	var wg sync.WaitGroup
	results := make([]error, n)
	record := func(i int) {
		defer wg.Done()
		results[i] = log.Record(context.Background(), &journalv1.AccessLogEntry{Name: fmt.Sprint(i)})
	}
	wg.Add(1)
	go record(0)
	k.let <- nil // the first is on its way alone
	for i := 1; i < n; i++ {
		wg.Add(1)
		go record(i)
	}
	failed := errors.New("failed")
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	rounds := 1
	for waiting := true; waiting; rounds++ {
		var err error
		if rounds == 1 {
			err = failed
		}
		select {
		case k.let <- err:
		case <-done:
			waiting = false
		}
	}
	kept, wrong := map[string]bool{}, 0
	for i, b := range k.batches {
		if len(b) > access.MaxBatch {
			t.Errorf("a batch of %d", len(b))
		}
		for _, e := range b {
			kept[e.GetName()] = true
			if i == 1 {
				wrong++
			}
		}
	}
	if len(kept) != n {
		t.Errorf("%d of %d were recorded", len(kept), n)
	}
	told := 0
	for _, err := range results {
		if errors.Is(err, failed) {
			told++
		}
	}
	if told != wrong || told == 0 {
		t.Errorf("%d were told of a failure that %d had", told, wrong)
	}
	// Who gives up does not wait, and is recorded all the same.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := log.Record(ctx, &journalv1.AccessLogEntry{Name: "late"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	k.let <- nil
}

func TestShareable(t *testing.T) {
	kinds := access.Shareable()
	for kind, want := range map[string]string{
		"setbacks": "tenants/{tenant}/people/{person}/setbacks/{setback}", "debriefs": "tenants/{tenant}/people/{person}/setbacks/{setback}/debriefs/{debrief}",
		"insights": "tenants/{tenant}/people/{person}/insights/{insight}", "comments": "", "grants": "", "accessLog": "", "profile": "", "libraryStories": "",
	} {
		if kinds[kind] != want {
			t.Errorf("%s: %q", kind, kinds[kind])
		}
	}
}
