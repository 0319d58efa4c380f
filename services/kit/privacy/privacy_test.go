package privacy_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/keys"
	"github.com/rebound-hq/rebound/services/kit/privacy"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/services/kit/store/storetest"
)

func TestMain(m *testing.M) {
	// The cache of keys has a sweeper that lives as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/golang-lru/v2/expirable.NewLRU[...].func1"))
}

// sealed is a sealing store that knows where it lies.
type sealed struct {
	store.Store
	inner   store.Store
	dir     string
	keyring *privacy.Keyring
}

type opener struct{}

func (opener) Seals() bool { return true }

func (opener) Open(t testing.TB, schema store.Schema) store.Store {
	s, err := open(t, t.TempDir(), schema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (opener) Reopen(t testing.TB, s store.Store, schema store.Schema) (store.Store, error) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, s.(sealed).dir, schema)
}

func open(t testing.TB, dir string, schema store.Schema) (store.Store, error) {
	set, err := keys.OpenOrCreate(filepath.Join(dir, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	schema.Kinds = append(slices.Clone(schema.Kinds), privacy.Kind())
	inner, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "test.db"), Schema: schema, NewID: ids.Random})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := inner.Close(); err != nil {
			t.Error(err)
		}
	})
	keyring := privacy.NewKeyring(inner, set, clock.System)
	return sealed{privacy.NewStore(inner, keyring), inner, dir, keyring}, nil
}

func TestSealingStoreConforms(t *testing.T) { storetest.Run(t, opener{}) }

const ada = "tenants/acme/people/ada"

func setback(id, words string) store.Record {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	name := ada + "/setbacks/" + id
	return store.Record{
		Kind: "setbacks", Name: name, Parent: ada, Owner: ada, CreateTime: now, UpdateTime: now,
		Body: &journalv1.Setback{Name: name, Title: words, Factors: []*journalv1.Factor{{Note: words}, {}, {Note: words + "2"}}},
	}
}

func TestWordsAreNotInTheFile(t *testing.T) {
	s := opener{}.Open(t, storetest.Schema())
	const canary = "canary-phrase-in-the-mine"
	r := setback("a", canary)
	if res := s.Commit(t.Context(), store.Write{Op: store.Insert, Record: r}); res[0].Err != nil {
		t.Fatal(res[0].Err)
	}
	got, err := s.Get(t.Context(), "setbacks", r.Name)
	if err != nil || !proto.Equal(got.Body, r.Body) {
		t.Fatalf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(s.(sealed).dir, "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte(canary)) {
			t.Errorf("%s holds a person's words", filepath.Base(f))
		}
	}
}

func TestDestroy(t *testing.T) {
	s := opener{}.Open(t, storetest.Schema()).(sealed)
	r := setback("a", "words")
	if res := s.Commit(t.Context(), store.Write{Op: store.Insert, Record: r}); res[0].Err != nil {
		t.Fatal(res[0].Err)
	}
	for range 2 { // destroying twice is no mistake
		if n, err := s.keyring.Destroy(t.Context(), ada, 7); err != nil || n != 7 {
			t.Fatal(n, err)
		}
	}
	if _, err := s.Get(t.Context(), "setbacks", r.Name); !errors.Is(err, privacy.ErrErased) || !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if got, err := s.GetBatch(t.Context(), "setbacks", []string{r.Name}); err != nil || len(got) != 0 {
		t.Errorf("GetBatch: %v, %v", got, err)
	}
	page, err := s.List(t.Context(), store.Query{Kind: "setbacks", Index: "by_name", Prefix: []store.Value{ada}, Limit: 10})
	if err != nil || len(page.Records) != 0 {
		t.Errorf("List: %v, %v", page, err)
	}
	if res := s.Commit(t.Context(), store.Write{Op: store.Insert, Record: setback("b", "words")}); !errors.Is(res[0].Err, privacy.ErrErased) {
		t.Errorf("Commit: %v", res[0].Err)
	}
}

// TestRecordsAreBoundToTheirName: the words of one record cannot be moved to another.
func TestRecordsAreBoundToTheirName(t *testing.T) {
	s := opener{}.Open(t, storetest.Schema()).(sealed)
	if res := s.Commit(t.Context(), store.Write{Op: store.Insert, Record: setback("a", "words of a")}); res[0].Err != nil {
		t.Fatal(res[0].Err)
	}
	raw, err := s.inner.Get(t.Context(), "setbacks", ada+"/setbacks/a")
	if err != nil || len(raw.Sealed) == 0 || raw.Body.(*journalv1.Setback).GetTitle() != "" {
		t.Fatalf("%v, %v", raw, err)
	}
	moved := raw
	moved.Name = ada + "/setbacks/b"
	if res := s.inner.Commit(t.Context(), store.Write{Op: store.Insert, Record: moved}); res[0].Err != nil {
		t.Fatal(res[0].Err)
	}
	if _, err := s.Get(t.Context(), "setbacks", moved.Name); err == nil {
		t.Fatal("a record opens under another name")
	}
}

func TestRedact(t *testing.T) {
	m := setback("a", "secret").Body
	if got := fmt.Sprint(privacy.Redact(m)); bytes.Contains([]byte(got), []byte("secret")) {
		t.Fatal("Redact left words in")
	}
	if m.(*journalv1.Setback).GetTitle() != "secret" {
		t.Fatal("Redact changed what it was given")
	}
}

// TestNoWordsInEventsOrInsights: no message that is published can hold text.
func TestNoWordsInEventsOrInsights(t *testing.T) {
	for _, m := range []proto.Message{
		&eventsv1.Event{}, &eventsv1.StreamEventsResponse{}, &insightsv1.Insight{},
		&insightsv1.StreamInsightsResponse{}, &insightsv1.Summary{},
	} {
		if paths := privacy.TextPaths(m.ProtoReflect().Descriptor()); len(paths) > 0 {
			t.Errorf("%s can hold a person's words: %v", m.ProtoReflect().Descriptor().FullName(), paths)
		}
	}
	if len(privacy.TextPaths((&journalv1.Debrief{}).ProtoReflect().Descriptor())) < 5 {
		t.Error("the walk does not see the text of a debrief")
	}
}

func BenchmarkCommitAndGet(b *testing.B) {
	s := opener{}.Open(b, storetest.Schema())
	r := setback("a", "some words that are not very long")
	if res := s.Commit(b.Context(), store.Write{Op: store.Insert, Record: r}); res[0].Err != nil {
		b.Fatal(res[0].Err)
	}
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Get(b.Context(), "setbacks", r.Name); err != nil {
				b.Fatal(err)
			}
		}
	})
}
