package resource_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// reader gives a context as that of a call which grants let in.
func reader(grants ...*journalv1.Grant) context.Context {
	ctx, session := access.NewContext(context.Background())
	session.Restrict(access.NewView(ada, "tenants/acme/people/cara", grants))
	return ctx
}

func tagGrant(tag string) *journalv1.Grant {
	return &journalv1.Grant{Scope: &journalv1.GrantScope{Scope: &journalv1.GrantScope_Tag{Tag: tag}}}
}

func resourceGrant(name string) *journalv1.Grant {
	return &journalv1.Grant{Scope: &journalv1.GrantScope{Scope: &journalv1.GrantScope_Resource{Resource: name}}}
}

// TestReaderPages: for any records, grant and page size a reader gets exactly what
// is covered, on full pages but for the last, which has no token: nothing tells of
// what lies between or after.
func TestReaderPages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t)
		tags := []string{"work", "home"}
		grant := tagGrant("work")
		from := r.Clock.Now().Add(time.Duration(rapid.IntRange(0, 12).Draw(rt, "from")) * time.Minute)
		if rapid.Bool().Draw(rt, "timed") {
			grant.SharedFrom = timestamppb.New(from)
		}
		var want []string
		for i := range rapid.IntRange(0, 12).Draw(rt, "records") {
			r.Clock.Advance(time.Minute)
			tag := rapid.SampledFrom(tags).Draw(rt, "tag")
			made := r.create(fmt.Sprintf("s%02d", i), &journalv1.Setback{Title: "t", Tags: []string{tag}})
			if tag == "work" && (grant.SharedFrom == nil || !r.Clock.Now().Before(from)) {
				want = append(want, made.GetName())
			}
		}
		size := rapid.IntRange(1, 13).Draw(rt, "size")
		var got []string
		for token, pages := "", 0; ; pages++ {
			res, err := r.setbacks.List(reader(grant), &journalv1.ListSetbacksRequest{Parent: ada, PageSize: int32(size), PageToken: token, OrderBy: "name"})
			if err != nil {
				rt.Fatal(err)
			}
			page := res.(*journalv1.ListSetbacksResponse)
			for _, s := range page.GetSetbacks() {
				got = append(got, s.GetName())
			}
			if token = page.GetNextPageToken(); token == "" {
				if len(page.GetSetbacks()) == 0 && len(want) > 0 {
					rt.Fatal("an empty page at the end")
				}
				break
			}
			if len(page.GetSetbacks()) != size || pages > 20 {
				rt.Fatalf("a page of %d, not %d, with a token", len(page.GetSetbacks()), size)
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("got %v, want %v", got, want)
		}
	})
}

// TestReaderSeesNoMore: what is not covered is denied in the same words whether it is
// there or not, by every way to read.
func TestReaderSeesNoMore(t *testing.T) {
	r := newRig(t)
	r.create("a", &journalv1.Setback{Title: "shared"})
	r.create("b", &journalv1.Setback{Title: "kept"})
	for _, parent := range []string{"a", "b"} {
		if _, err := r.debriefs.Create(context.Background(), &journalv1.CreateDebriefRequest{Parent: ada + "/setbacks/" + parent, DebriefId: "d", Debrief: &journalv1.Debrief{}}); err != nil {
			t.Fatal(err)
		}
	}
	ctx := func() context.Context { return reader(resourceGrant(ada + "/setbacks/a")) }
	if got, err := r.setbacks.Fetch(ctx(), ada+"/setbacks/a"); err != nil || got.GetTitle() != "shared" {
		t.Errorf("%v %v", got, err)
	}
	for _, name := range []string{"b", "nothing"} {
		_, err := r.setbacks.Get(ctx(), &journalv1.GetSetbackRequest{Name: ada + "/setbacks/" + name})
		wants(t, err, "ACCESS_DENIED", "")
		_, err = r.setbacks.Delete(ctx(), &journalv1.DeleteSetbackRequest{Name: ada + "/setbacks/" + name})
		wants(t, err, "ACCESS_DENIED", "")
		wants(t, r.setbacks.CheckReference(ctx(), "x", ada, ada+"/setbacks/"+name), "ACCESS_DENIED", "")
	}
	_, err := r.profiles.Get(ctx(), &journalv1.GetProfileRequest{Name: ada + "/profile"})
	wants(t, err, "ACCESS_DENIED", "")
	// Below a parent that is not covered there is nothing, as below one that is not there.
	for parent, want := range map[string]int{"a": 1, "b": 0, "nothing": 0, "-": 1} {
		res, err := r.debriefs.List(ctx(), &journalv1.ListDebriefsRequest{Parent: ada + "/setbacks/" + parent})
		if err != nil || len(res.(*journalv1.ListDebriefsResponse).GetDebriefs()) != want {
			t.Errorf("%s: %v %v", parent, res, err)
		}
	}
	if all, err := r.setbacks.All(ctx(), ada); err != nil || len(all) != 1 {
		t.Errorf("%v %v", all, err)
	}
	if found, err := r.setbacks.Batch(ctx(), []string{ada + "/setbacks/a", ada + "/setbacks/b"}); err != nil || len(found) != 1 {
		t.Errorf("%v %v", found, err)
	}
	if some, err := r.setbacks.Between(ctx(), ada, "create_time", int64(0), nil, 10); err != nil || len(some) != 1 {
		t.Errorf("%v %v", some, err)
	}
	// A handler may look with the owner's eyes, for what it does not show.
	if p, err := r.profiles.Fetch(access.AsOwner(ctx()), ada+"/profile"); err != nil || p.GetTimeZone() != "UTC" {
		t.Errorf("%v %v", p, err)
	}
}

// TestReaderFilters: a filter finds nothing that is hidden from the one who asks.
func TestReaderFilters(t *testing.T) {
	base := resourcetest.New(t)
	lessons := resource.Must(base.Deps, resource.Type[*journalv1.Lesson]{Filter: []string{"setback"}})
	setbacks := resource.Must(base.Deps, resource.Type[*journalv1.Setback]{})
	base.Open(t, lessons.Kind(), setbacks.Kind())
	for _, id := range []string{"work", "home"} {
		ctx := context.Background()
		if _, err := setbacks.Create(ctx, &journalv1.CreateSetbackRequest{Parent: ada, SetbackId: id, Setback: &journalv1.Setback{Title: "t", Tags: []string{id}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := lessons.Create(ctx, &journalv1.CreateLessonRequest{Parent: ada, LessonId: id, Lesson: &journalv1.Lesson{Statement: "s", Setback: ada + "/setbacks/" + id}}); err != nil {
			t.Fatal(err)
		}
	}
	ctx := reader(tagGrant("work"), &journalv1.Grant{Scope: &journalv1.GrantScope{Scope: &journalv1.GrantScope_Kind{Kind: "lessons"}}})
	for filter, want := range map[string]int{
		"": 2, `setback = "` + ada + `/setbacks/work"`: 1, `setback = "` + ada + `/setbacks/home"`: 0, "setback:*": 1,
	} {
		res, err := lessons.List(ctx, &journalv1.ListLessonsRequest{Parent: ada, Filter: filter})
		if err != nil || len(res.(*journalv1.ListLessonsResponse).GetLessons()) != want {
			t.Errorf("%s: %v %v", filter, res, err)
		}
	}
}
