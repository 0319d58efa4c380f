package resource_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// TestRanges: documents by a key that is no field of theirs, below one parent and
// below all, from either end.
func TestRanges(t *testing.T) {
	r := newRig(t)
	for i := range 6 {
		parent := r.create(fmt.Sprintf("s%d", i), &journalv1.Setback{Title: "t"}).GetName()
		if i%2 == 1 {
			parent = ada + "/setbacks/s0"
		}
		d := &journalv1.Debrief{}
		for range i {
			d.Moments = append(d.Moments, &journalv1.Moment{What: "w"})
		}
		if _, err := r.debriefs.Create(t.Context(), &journalv1.CreateDebriefRequest{Parent: parent, DebriefId: fmt.Sprint(i), Debrief: d}); err != nil {
			t.Fatal(err)
		}
	}
	const one, all = ada + "/setbacks/s0", ada + "/setbacks/-"
	for _, c := range []struct {
		parent      string
		from, until store.Value
		limit       int
		latest      bool
		want        []string
	}{
		{all, nil, nil, 10, false, []string{"0", "1", "2", "3", "4", "5"}},
		{all, int64(1), int64(4), 10, false, []string{"1", "2", "3"}},
		{all, int64(1), int64(4), 2, false, []string{"1", "2"}},
		{all, int64(1), int64(4), 2, true, []string{"3", "2"}},
		{one, int64(1), nil, 10, false, []string{"1", "3", "5"}},
		{one, nil, nil, 2, true, []string{"5", "3"}},
		{ada + "/setbacks/s2", nil, nil, 10, true, []string{"2"}},
		{ada + "/setbacks/s1", nil, nil, 10, true, []string{}},
	} {
		find := r.debriefs.Between
		if c.latest {
			find = r.debriefs.Latest
		}
		found, err := find(t.Context(), c.parent, "moment_count", c.from, c.until, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, d := range found {
			got = append(got, resource.LastSegment(d.GetName()))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v to %v below %s, latest first %v: %v, want %v", c.from, c.until, c.parent, c.latest, got, c.want)
		}
	}
	// It is the service's own way of finding: clients cannot order by it.
	_, err := r.debriefs.List(t.Context(), &journalv1.ListDebriefsRequest{Parent: all, OrderBy: "moment_count"})
	wants(t, err, "ORDER_FIELD_UNKNOWN", "order_by")
	_, err = resource.New(r.Deps, resource.Type[*journalv1.Debrief]{Order: []string{"scheduled_time"}, Keys: []store.Key{{Name: "scheduled_time", Type: store.Number}}})
	if err == nil {
		t.Error("a key and an order field of one name are taken")
	}
}

// TestMutateSingleton: a custom method makes the singleton that was never written,
// with its defaults; with an etag it changes what is there or nothing.
func TestMutateSingleton(t *testing.T) {
	r := newRig(t)
	const name = ada + "/profile"
	german := func(p *journalv1.Profile, _ time.Time) error {
		p.Locale = "de"
		return nil
	}
	_, err := r.profiles.Mutate(t.Context(), "translated", name, "stale", german)
	resourcetest.Refused(t, err, "NOT_FOUND")
	p, err := r.profiles.Mutate(t.Context(), "translated", name, "", german)
	if err != nil || p.GetLocale() != "de" || p.GetTimeZone() != "UTC" || p.GetCreateTime() == nil {
		t.Fatalf("%v, %v", p, err)
	}
	p, err = r.profiles.Mutate(t.Context(), "translated", name, p.GetEtag(), func(p *journalv1.Profile, _ time.Time) error {
		p.Locale += "-CH"
		return nil
	})
	if err != nil || p.GetLocale() != "de-CH" {
		t.Fatalf("%v, %v", p, err)
	}
	_, err = r.setbacks.Mutate(t.Context(), "updated", ada+"/setbacks/absent", "", func(*journalv1.Setback, time.Time) error { return nil })
	resourcetest.Refused(t, err, "NOT_FOUND")
}
