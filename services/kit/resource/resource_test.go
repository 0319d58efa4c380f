package resource_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const ada = "tenants/acme/people/ada"

// rig is a few declared types on a store.
type rig struct {
	t testing.TB
	*resourcetest.Rig
	store    store.Store
	setbacks *resource.Resource[*journalv1.Setback]
	debriefs *resource.Resource[*journalv1.Debrief]
	profiles *resource.Resource[*journalv1.Profile]
}

func newRig(t testing.TB) *rig {
	t.Helper()
	base := resourcetest.New(t)
	r := &rig{t: t, Rig: base}
	deps := base.Deps
	r.setbacks = resource.Must(deps, resource.Type[*journalv1.Setback]{
		Filter: []string{"state", "intensity", "occurred_on", "feelings"}, Order: []string{"create_time", "intensity", "occurred_on"}, Children: []string{"debriefs"},
		Decide: func(_ context.Context, c resource.Change[*journalv1.Setback]) ([]*eventsv1.Event, error) {
			if c.Created() {
				c.New.State = typev1.SetbackState_SETBACK_STATE_OPEN
			}
			return c.Event("recorded", &eventsv1.Event{Data: &eventsv1.Event_Setback{Setback: &eventsv1.SetbackFacts{}}}), nil
		},
	})
	r.debriefs = resource.Must(deps, resource.Type[*journalv1.Debrief]{
		Keys: []store.Key{{Name: "moment_count", Type: store.Number, Of: func(body proto.Message) store.Value {
			return int64(len(body.(*journalv1.Debrief).GetMoments()))
		}}},
	})
	r.profiles = resource.Must(deps, resource.Type[*journalv1.Profile]{
		Defaults: func(_ context.Context, _ string, p *journalv1.Profile, _ time.Time) error {
			if p.GetTimeZone() == "" {
				p.TimeZone = "UTC"
			}
			return nil
		},
	})
	r.store = base.Open(t, r.setbacks.Kind(), r.debriefs.Kind(), r.profiles.Kind())
	return r
}

func (r *rig) create(id string, s *journalv1.Setback) *journalv1.Setback {
	r.t.Helper()
	made, err := r.setbacks.Create(context.Background(), &journalv1.CreateSetbackRequest{Parent: ada, SetbackId: id, Setback: s})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*journalv1.Setback)
}

func (r *rig) update(s *journalv1.Setback, paths ...string) (*journalv1.Setback, error) {
	req := &journalv1.UpdateSetbackRequest{Setback: s}
	if paths != nil {
		req.UpdateMask = &fieldmaskpb.FieldMask{Paths: paths}
	}
	got, err := r.setbacks.Update(context.Background(), req)
	if err != nil {
		return nil, err
	}
	return got.(*journalv1.Setback), nil
}

func (r *rig) events() int {
	r.t.Helper()
	n := 0
	for p := range r.store.Partitions() {
		events, err := r.store.Read(context.Background(), p, 0, store.MaxRead)
		if err != nil {
			r.t.Fatal(err)
		}
		n += len(events)
	}
	return n
}

// wants checks the reason of a fault, and its field unless that is "".
func wants(t testing.TB, err error, reason, field string) {
	t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Reason != reason {
		t.Errorf("want %s, got %v", reason, err)
		return
	}
	if field != "" && (len(f.Violations) == 0 || f.Violations[0].Field != field) {
		t.Errorf("want the field %s, got %v", field, f.Violations)
	}
}

func TestCreate(t *testing.T) {
	r := newRig(t)
	made := r.create("a", &journalv1.Setback{
		Name: "elsewhere", Etag: "x", Title: "t", State: typev1.SetbackState_SETBACK_STATE_RECOVERED, ClosingNote: "sneaked in",
		CreateTime: timestamppb.New(time.Unix(1, 0)),
	})
	if made.GetName() != ada+"/setbacks/a" || made.GetState() != typev1.SetbackState_SETBACK_STATE_OPEN || made.GetClosingNote() != "" ||
		!made.GetCreateTime().AsTime().Equal(r.Clock.Now()) || made.GetEtag() == "" || made.GetEtag() == "x" {
		t.Errorf("what only the server sets was taken from the client: %v", made)
	}
	_, err := r.setbacks.Create(t.Context(), &journalv1.CreateSetbackRequest{Parent: ada, SetbackId: "a", Setback: &journalv1.Setback{Title: "t"}})
	wants(t, err, "ALREADY_EXISTS", "")
	for _, bad := range []string{"A", "-a", "a-", "a_b", "ä", "a/b", "a b", string(make([]byte, 64))} {
		_, err := r.setbacks.Create(t.Context(), &journalv1.CreateSetbackRequest{Parent: ada, SetbackId: bad, Setback: &journalv1.Setback{Title: "t"}})
		wants(t, err, "ID_INVALID", "setback_id")
	}
	_, err = r.setbacks.Create(t.Context(), &journalv1.CreateSetbackRequest{Parent: ada, Setback: &journalv1.Setback{Factors: []*journalv1.Factor{{}}}})
	if f, ok := fault.As(err); !ok || len(f.Violations) != 2 || f.Violations[1].Field != "setback.factors[0].kind" {
		t.Errorf("want both missing fields named: %v", err)
	}
	before := r.events()
	var names []string
	for range 3 {
		again, err := r.setbacks.Create(t.Context(), &journalv1.CreateSetbackRequest{Parent: ada, RequestId: "r1", Setback: &journalv1.Setback{Title: "t"}})
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, again.(*journalv1.Setback).GetName())
	}
	if names[0] != names[1] || names[1] != names[2] || r.events() != before+1 {
		t.Errorf("the same request made %v and %d events", names, r.events()-before)
	}
	_, err = r.debriefs.Create(t.Context(), &journalv1.CreateDebriefRequest{Parent: ada + "/setbacks/absent", Debrief: &journalv1.Debrief{}})
	wants(t, err, "NOT_FOUND", "")
}

func TestUpdate(t *testing.T) {
	r := newRig(t)
	made := r.create("a", &journalv1.Setback{Title: "t", Account: "long", Intensity: 3, OccurredOn: &datepb.Date{Year: 2026, Month: 1, Day: 2}})
	name := made.GetName()
	step := func(s *journalv1.Setback, paths ...string) *journalv1.Setback {
		t.Helper()
		r.Clock.Advance(time.Second)
		s.Name = name
		got, err := r.update(s, paths...)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := step(&journalv1.Setback{Title: "t2"}); got.GetTitle() != "t2" || got.GetAccount() != "long" {
		t.Errorf("without a mask, what is set is written: %v", got)
	}
	if got := step(&journalv1.Setback{Intensity: 9}, "account", "intensity"); got.GetAccount() != "" || got.GetIntensity() != 9 || got.GetTitle() != "t2" {
		t.Errorf("with a mask, what it names is written: %v", got)
	}
	if got := step(&journalv1.Setback{OccurredOn: &datepb.Date{Day: 7}}, "occurred_on.day"); got.GetOccurredOn().GetDay() != 7 || got.GetOccurredOn().GetYear() != 2026 {
		t.Errorf("a nested path: %v", got)
	}
	if got := step(&journalv1.Setback{Title: "t2", State: typev1.SetbackState_SETBACK_STATE_CLOSED}, "title", "state"); got.GetState() != typev1.SetbackState_SETBACK_STATE_OPEN {
		t.Errorf("an output-only field was written: %v", got)
	}
	if got := step(&journalv1.Setback{Title: "t3"}, "*"); got.GetIntensity() != 0 || got.GetOccurredOn() != nil || got.GetState() != typev1.SetbackState_SETBACK_STATE_OPEN || !got.GetCreateTime().AsTime().Equal(made.GetCreateTime().AsTime()) {
		t.Errorf("a full replacement: %v", got)
	}
	before := r.events()
	if got := step(&journalv1.Setback{Title: "t3"}); got.GetUpdateTime().AsTime().Equal(r.Clock.Now()) || r.events() != before {
		t.Error("a write that changes nothing was a write")
	}
	for _, path := range []string{"nothing", "title.x", "factors.kind", ""} {
		_, err := r.update(&journalv1.Setback{Name: name}, path)
		wants(t, err, "MASK_PATH_UNKNOWN", "update_mask")
	}
	_, err := r.update(&journalv1.Setback{Name: name}, "title")
	wants(t, err, "REQUIRED", "setback.title")
	_, err = r.update(&journalv1.Setback{Name: name, Title: "x", Etag: made.GetEtag()})
	wants(t, err, "ETAG_MISMATCH", "")
	_, err = r.update(&journalv1.Setback{Name: ada + "/setbacks/absent", Title: "x"})
	wants(t, err, "NOT_FOUND", "")
	got, err := r.setbacks.Update(t.Context(), &journalv1.UpdateSetbackRequest{Setback: &journalv1.Setback{Name: ada + "/setbacks/new", Title: "x"}, AllowMissing: true})
	if err != nil || got.(*journalv1.Setback).GetState() != typev1.SetbackState_SETBACK_STATE_OPEN {
		t.Errorf("allow_missing: %v, %v", got, err)
	}
	_, err = r.setbacks.Update(t.Context(), &journalv1.UpdateSetbackRequest{Setback: &journalv1.Setback{Name: ada + "/setbacks/newer", Title: "x", Etag: "old"}, AllowMissing: true})
	wants(t, err, "NOT_FOUND", "")
}

func TestDelete(t *testing.T) {
	r := newRig(t)
	made := r.create("a", &journalv1.Setback{Title: "t"})
	for range 3 {
		if _, err := r.debriefs.Create(t.Context(), &journalv1.CreateDebriefRequest{Parent: made.GetName(), Debrief: &journalv1.Debrief{}}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.setbacks.Delete(t.Context(), &journalv1.DeleteSetbackRequest{Name: made.GetName(), Etag: "stale"})
	wants(t, err, "ETAG_MISMATCH", "")
	_, err = r.setbacks.Delete(t.Context(), &journalv1.DeleteSetbackRequest{Name: made.GetName()})
	wants(t, err, "HAS_CHILDREN", "")
	before := r.events()
	if _, err := r.setbacks.Delete(t.Context(), &journalv1.DeleteSetbackRequest{Name: made.GetName(), Force: true}); err != nil {
		t.Fatal(err)
	}
	if n := r.events() - before; n != 4 {
		t.Errorf("%d events for a setback and three debriefs", n)
	}
	_, err = r.setbacks.Delete(t.Context(), &journalv1.DeleteSetbackRequest{Name: made.GetName()})
	wants(t, err, "NOT_FOUND", "")
	_, err = r.debriefs.List(t.Context(), &journalv1.ListDebriefsRequest{Parent: made.GetName()})
	wants(t, err, "NOT_FOUND", "")
	if all, err := r.debriefs.All(t.Context(), ada+"/setbacks/-"); err != nil || len(all) != 0 {
		t.Errorf("%d debriefs are left, %v", len(all), err)
	}
}

func TestSingleton(t *testing.T) {
	r := newRig(t)
	name := ada + "/profile"
	p, err := r.profiles.Fetch(t.Context(), name)
	if err != nil || p.GetTimeZone() != "UTC" || p.GetName() != name || p.GetCreateTime() != nil {
		t.Fatalf("%v, %v", p, err)
	}
	got, err := r.profiles.Update(t.Context(), &journalv1.UpdateProfileRequest{Profile: &journalv1.Profile{Name: name, Locale: "de"}})
	if err != nil || got.(*journalv1.Profile).GetTimeZone() != "UTC" || got.(*journalv1.Profile).GetLocale() != "de" {
		t.Fatalf("%v, %v", got, err)
	}
	_, err = r.profiles.Fetch(t.Context(), ada+"/profiles/x")
	wants(t, err, "NAME_INVALID", "name")
}

// TestMutateUnderContention: changes without an etag are tried again, so that
// none is lost.
func TestMutateUnderContention(t *testing.T) {
	r := newRig(t)
	name := r.create("a", &journalv1.Setback{Title: "t"}).GetName()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for done := 0; done < 5; {
				_, err := r.setbacks.Mutate(context.Background(), "updated", name, "", func(s *journalv1.Setback, _ time.Time) error {
					s.Intensity++
					return nil
				})
				if f, ok := fault.As(err); ok && f.Reason == "ETAG_MISMATCH" {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				done++
			}
		})
	}
	wg.Wait()
	if got, err := r.setbacks.Fetch(t.Context(), name); err != nil || got.GetIntensity() != 20 {
		t.Fatalf("%v, %v", got.GetIntensity(), err)
	}
	stop := errors.New("no")
	if _, err := r.setbacks.Mutate(t.Context(), "updated", name, "", func(*journalv1.Setback, time.Time) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func (r *rig) list(req *journalv1.ListSetbacksRequest) (*journalv1.ListSetbacksResponse, error) {
	res, err := r.setbacks.List(context.Background(), req)
	if err != nil {
		return nil, err
	}
	return res.(*journalv1.ListSetbacksResponse), nil
}

// TestPaging: whatever the order, the filter, the page size, and whatever is made
// and deleted meanwhile, what is there all the time comes exactly once.
func TestPaging(t *testing.T) {
	r := newRig(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		parent := fmt.Sprintf("tenants/acme/people/p%d", n)
		kept := map[string]bool{}
		make := func(id string) *journalv1.Setback {
			r.Clock.Advance(time.Duration(rapid.IntRange(0, 1).Draw(rt, "ms")) * time.Millisecond)
			made, err := r.setbacks.Create(context.Background(), &journalv1.CreateSetbackRequest{Parent: parent, SetbackId: id, Setback: &journalv1.Setback{
				Title: "t", Intensity: rapid.Int32Range(1, 4).Draw(rt, "intensity"),
			}})
			if err != nil {
				rt.Fatal(err)
			}
			return made.(*journalv1.Setback)
		}
		filter := rapid.SampledFrom([]string{"", "intensity >= 2", "intensity = 3 OR intensity = 1", "NOT state = CLOSED"}).Draw(rt, "filter")
		matches := func(s *journalv1.Setback) bool {
			return filter == "" || filter == "NOT state = CLOSED" || filter == "intensity >= 2" && s.GetIntensity() >= 2 || filter != "intensity >= 2" && s.GetIntensity()%2 == 1
		}
		for i := range rapid.IntRange(0, 12).Draw(rt, "kept") {
			if s := make(fmt.Sprintf("kept-%d", i)); matches(s) {
				kept[s.GetName()] = true
			}
		}
		req := &journalv1.ListSetbacksRequest{
			Parent: parent, PageSize: rapid.Int32Range(1, 5).Draw(rt, "size"), Filter: filter,
			OrderBy: rapid.SampledFrom([]string{"", "name", "intensity", "intensity desc", "create_time", "occurred_on desc"}).Draw(rt, "order"),
		}
		seen := map[string]bool{}
		for page := 0; ; page++ {
			res, err := r.list(req)
			if err != nil {
				rt.Fatal(err)
			}
			for _, s := range res.GetSetbacks() {
				if seen[s.GetName()] || !matches(s) {
					rt.Fatalf("%s came twice or does not match", s.GetName())
				}
				seen[s.GetName()] = true
			}
			if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
				break
			}
			req.PageSize = rapid.Int32Range(1, 5).Draw(rt, "size")
			if page < 4 && rapid.Bool().Draw(rt, "passing") {
				s := make(fmt.Sprintf("passing-%d", page))
				if rapid.Bool().Draw(rt, "gone") {
					if _, err := r.setbacks.Delete(context.Background(), &journalv1.DeleteSetbackRequest{Name: s.GetName()}); err != nil {
						rt.Fatal(err)
					}
				}
			}
		}
		for name := range kept {
			if !seen[name] {
				rt.Fatalf("%s never came", name)
			}
		}
	})
}

func TestPageTokens(t *testing.T) {
	r := newRig(t)
	for i := range 4 {
		r.create(fmt.Sprintf("s%d", i), &journalv1.Setback{Title: "t"})
	}
	res, err := r.list(&journalv1.ListSetbacksRequest{Parent: ada, PageSize: 2})
	if err != nil || len(res.GetSetbacks()) != 2 || res.GetNextPageToken() == "" {
		t.Fatalf("%v, %v", res, err)
	}
	next := res.GetNextPageToken()
	_, err = r.list(&journalv1.ListSetbacksRequest{Parent: ada, PageToken: next + "x"})
	wants(t, err, "PAGE_TOKEN_INVALID", "page_token")
	_, err = r.list(&journalv1.ListSetbacksRequest{Parent: ada, PageToken: next, OrderBy: "name"})
	wants(t, err, "PAGE_TOKEN_MISMATCH", "page_token")
	r.Caller = "grace"
	_, err = r.list(&journalv1.ListSetbacksRequest{Parent: ada, PageToken: next})
	wants(t, err, "PAGE_TOKEN_FOREIGN", "page_token")
	r.Caller = "ada"
	last, err := r.list(&journalv1.ListSetbacksRequest{Parent: ada, PageToken: next, PageSize: 1000})
	if err != nil || len(last.GetSetbacks()) != 2 || last.GetNextPageToken() != "" {
		t.Fatalf("%v, %v", last, err)
	}
	r.Clock.Advance(73 * time.Hour)
	_, err = r.list(&journalv1.ListSetbacksRequest{Parent: ada, PageToken: next})
	wants(t, err, "PAGE_TOKEN_EXPIRED", "page_token")
}

func TestWildcardParent(t *testing.T) {
	r := newRig(t)
	var want []string
	for i := range 3 {
		s := r.create(fmt.Sprintf("s%d", i), &journalv1.Setback{Title: "t"})
		d, err := r.debriefs.Create(t.Context(), &journalv1.CreateDebriefRequest{Parent: s.GetName(), DebriefId: "d", Debrief: &journalv1.Debrief{}})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, d.(*journalv1.Debrief).GetName())
	}
	res, err := r.debriefs.List(t.Context(), &journalv1.ListDebriefsRequest{Parent: ada + "/setbacks/-", OrderBy: "name"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range res.(*journalv1.ListDebriefsResponse).GetDebriefs() {
		got = append(got, d.GetName())
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%v", got)
	}
	_, err = r.debriefs.List(t.Context(), &journalv1.ListDebriefsRequest{Parent: "tenants/acme/people/-/setbacks/-"})
	wants(t, err, "NAME_INVALID", "parent")
}

func FuzzNames(f *testing.F) {
	r := newRig(f)
	f.Add(ada + "/setbacks/a")
	f.Add("tenants//people//setbacks/")
	f.Add("////////")
	f.Fuzz(func(t *testing.T, name string) {
		for _, call := range []func() error{
			func() error { _, err := r.setbacks.Fetch(context.Background(), name); return err },
			func() error { _, err := r.list(&journalv1.ListSetbacksRequest{Parent: name}); return err },
			func() error {
				_, err := r.debriefs.Create(context.Background(), &journalv1.CreateDebriefRequest{Parent: name, Debrief: &journalv1.Debrief{}})
				return err
			},
		} {
			if err := call(); err != nil {
				if _, ok := fault.As(err); !ok {
					t.Fatal(err)
				}
			}
		}
	})
}
