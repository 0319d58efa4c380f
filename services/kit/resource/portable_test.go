package resource_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// TestPortable: what people write themselves can be taken along, parents first;
// what others write, what the service writes and what stays cannot.
func TestPortable(t *testing.T) {
	deps := resourcetest.New(t).Deps
	resource.Must(deps, resource.Type[*journalv1.Debrief]{})
	resource.Must(deps, resource.Type[*journalv1.Setback]{})
	resource.Must(deps, resource.Type[*journalv1.Lesson]{Stays: true})
	resource.Must(deps, resource.Type[*journalv1.Affiliation]{})                // the tenant's word
	resource.Must(deps, resource.Type[*journalv1.LibraryStory]{ReadOnly: true}) // published
	resource.Must(deps, resource.Type[*storagev1.LibraryMarks]{ReadOnly: true}) // of no API
	resource.Must(deps, resource.Type[*journalv1.Erasure]{ReadOnly: true})      // a certificate
	resource.Must(deps, resource.Type[*journalv1.Operation]{ReadOnly: true})    // an operation itself
	resource.Must(deps, resource.Type[*journalv1.Profile]{})                    // a singleton
	resource.Must(deps, resource.Type[*journalv1.Gratitude]{Order: []string{"local_date"}})
	var got []string
	for _, p := range deps.Portable() {
		got = append(got, p.Kind().Name)
	}
	want := []string{"profile", "gratitudes", "setbacks", "debriefs"}
	if len(got) != len(want) {
		t.Fatalf("%v can be taken along, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v can be taken along, want %v", got, want)
		}
	}
}

func restored(id string) *journalv1.Setback {
	made := time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC)
	return &journalv1.Setback{
		Name: ada + "/setbacks/" + id, Etag: "elsewhere", Title: "Years ago",
		State: typev1.SetbackState_SETBACK_STATE_RECOVERED, RecoveryNote: "Up again",
		CreateTime: timestamppb.New(made), UpdateTime: timestamppb.New(made.Add(time.Hour)),
	}
}

func (r *rig) restore(requestID string, docs ...proto.Message) []error {
	r.t.Helper()
	ids := make([]string, len(docs))
	for i := range ids {
		ids[i] = requestID
	}
	if _, ok := docs[0].(*journalv1.Debrief); ok {
		return r.debriefs.Restore(context.Background(), docs, ids)
	}
	return r.setbacks.Restore(context.Background(), docs, ids)
}

// TestRestore: a document is made as it was, with its times and what only the server
// sets, and its event tells when that was.
func TestRestore(t *testing.T) {
	r := newRig(t)
	if err := r.setbacks.CheckRestored(restored("a")); err != nil {
		t.Fatal(err)
	}
	if errs := r.restore("1", restored("a")); errs[0] != nil {
		t.Fatal(errs)
	}
	got, err := r.setbacks.Fetch(t.Context(), ada+"/setbacks/a")
	if err != nil || got.GetEtag() == "" || got.GetEtag() == "elsewhere" {
		t.Fatal(got, err)
	}
	want := restored("a")
	want.Etag = got.GetEtag()
	if !proto.Equal(got, want) {
		t.Errorf("%v is not %v", got, want)
	}
	events := r.Events(t, ada)
	if len(events) != 1 || events[0].GetType() != "setback.imported" || !events[0].GetTime().AsTime().Equal(r.Clock.Now()) ||
		!proto.Equal(events[0].GetRecordTime(), want.GetCreateTime()) || events[0].GetData().(*eventsv1.Event_Setback) == nil {
		t.Errorf("%v", events)
	}
	// It lies in lists where it belongs.
	page, err := r.setbacks.Records(t.Context(), ada, true, nil, 10)
	if err != nil || len(page.Records) != 1 || !page.Records[0].CreateTime.Equal(want.GetCreateTime().AsTime()) {
		t.Error(page, err)
	}
	// Once more: the same request has made it, another one has not.
	if errs := r.restore("1", restored("a")); errs[0] != nil {
		t.Error(errs)
	}
	wants(t, r.restore("2", restored("a"))[0], "ALREADY_EXISTS", "")
	if n := r.events(); n != 1 {
		t.Errorf("%d events", n)
	}
	stored, err := r.setbacks.Stored(t.Context(), []string{ada + "/setbacks/a", ada + "/setbacks/none"})
	if err != nil || len(stored) != 1 {
		t.Error(stored, err)
	}
}

// TestRestoreBelow: what is above has to be there, and each fails alone.
func TestRestoreBelow(t *testing.T) {
	r := newRig(t)
	r.create("a", &journalv1.Setback{Title: "t"})
	made := timestamppb.New(r.Clock.Now())
	below := func(setback string) proto.Message {
		return &journalv1.Debrief{Name: ada + "/setbacks/" + setback + "/debriefs/d", CreateTime: made, UpdateTime: made}
	}
	errs := r.restore("1", below("none"), below("a"))
	wants(t, errs[0], "NOT_FOUND", "")
	if errs[1] != nil {
		t.Error(errs[1])
	}
}

// TestCheckRestored: what is wrong with a document by itself.
func TestCheckRestored(t *testing.T) {
	r := newRig(t)
	for reason, edit := range map[string]func(*journalv1.Setback){
		"NAME_INVALID": func(s *journalv1.Setback) { s.Name = ada + "/lessons/a" },
		"REQUIRED":     func(s *journalv1.Setback) { s.Title = " " },
		"TIME_INVALID": func(s *journalv1.Setback) { s.CreateTime = nil },
		"TIME_IN_FUTURE": func(s *journalv1.Setback) {
			s.UpdateTime = timestamppb.New(r.Clock.Now().Add(time.Hour))
		},
	} {
		s := restored("a")
		edit(s)
		wants(t, r.setbacks.CheckRestored(s), reason, "")
	}
	for _, edit := range []func(*journalv1.Setback){
		func(s *journalv1.Setback) {
			s.UpdateTime = timestamppb.New(s.GetCreateTime().AsTime().Add(-time.Second))
		},
		func(s *journalv1.Setback) { s.Intensity = 11 },
	} {
		s := restored("a")
		edit(s)
		if r.setbacks.CheckRestored(s) == nil {
			t.Errorf("%v is taken", s)
		}
	}
}
