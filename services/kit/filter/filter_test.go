package filter_test

import (
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
)

func setbacks(t testing.TB) *filter.Fields {
	t.Helper()
	f, err := filter.New((&journalv1.Setback{}).ProtoReflect().Descriptor(), "state", "intensity", "occurred_on", "recovered_on", "feelings", "create_time", "name", "occurred_on.year")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMatch(t *testing.T) {
	f := setbacks(t)
	s := &journalv1.Setback{
		Name: "n", State: typev1.SetbackState_SETBACK_STATE_OPEN, Intensity: 7, OccurredOn: &datepb.Date{Year: 2026, Month: 11, Day: 3},
		Feelings:   []typev1.Feeling{typev1.Feeling_FEELING_SHAME, typev1.Feeling_FEELING_FEAR},
		CreateTime: timestamppb.New(time.Date(2026, 11, 3, 8, 0, 0, 0, time.UTC)),
	}
	for text, want := range map[string]bool{
		`state = OPEN`:                                         true,
		`state = SETBACK_STATE_OPEN`:                           true,
		`state = "SETBACK_STATE_OPEN"`:                         true,
		`state != OPEN`:                                        false,
		`NOT state = OPEN`:                                     false,
		`-state = OPEN`:                                        false,
		`intensity > 6`:                                        true,
		`intensity >= 7.5`:                                     false,
		`intensity > -3`:                                       true,
		`intensity = 7 AND state = CLOSED`:                     false,
		`intensity = 7 state = OPEN`:                           true,
		`intensity = 1 OR (state = OPEN AND intensity<8)`:      true,
		`occurred_on = "2026-11-03"`:                           true,
		`occurred_on < "2026-12-01"`:                           true,
		`occurred_on > "2026-11-03"`:                           false,
		`occurred_on.year = 2026`:                              true,
		`recovered_on:*`:                                       false,
		`occurred_on:*`:                                        true,
		`recovered_on > "2020-01-01"`:                          false,
		`recovered_on != "2020-01-01"`:                         true,
		`feelings:SHAME`:                                       true,
		`feelings:JOY`:                                         false,
		`create_time >= "2026-11-03T08:00:00Z"`:                true,
		`create_time < timestamp("2026-11-03T09:00:00+01:00")`: false,
		`name = "n"`:                                           true,
	} {
		match, err := f.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := match(s.ProtoReflect()); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if match, err := f.Compile("  "); match != nil || err != nil {
		t.Errorf("an empty filter: %v", err)
	}
}

func TestMistakes(t *testing.T) {
	f := setbacks(t)
	for text, want := range map[string]string{
		`intensity >`: "FILTER_INVALID", `= 3`: "FILTER_INVALID", `intensity`: "FILTER_INVALID", `"x"`: "FILTER_INVALID",
		`intensity = "many"`: "FILTER_INVALID", `state = MOON`: "FILTER_INVALID", `occurred_on = "2026-02-30"`: "FILTER_INVALID",
		`create_time = "today"`: "FILTER_INVALID", `feelings = SHAME`: "FILTER_INVALID", `intensity:3`: "FILTER_INVALID",
		`title = "x"`: "FILTER_FIELD_UNKNOWN", `moon(intensity)`: "FILTER_INVALID", `intensity = occurred_on.year.x`: "FILTER_INVALID",
		`((((((((((((((((((((((((((((((((((((((((((intensity=1))))))))))))))))))))))))))))))))))))))))))`: "FILTER_TOO_DEEP",
	} {
		_, err := f.Compile(text)
		if fl, ok := fault.As(err); !ok || fl.Reason != want {
			t.Errorf("%s: want %s, got %v", text, want, err)
		}
	}
}

func TestDeclarations(t *testing.T) {
	md := (&journalv1.Setback{}).ProtoReflect().Descriptor()
	for _, path := range []string{"title", "nothing", "intensity.x", "factors", "occurred_on.nothing"} {
		if _, err := filter.New(md, path); err == nil {
			t.Errorf("%s was accepted", path)
		}
	}
}

func FuzzCompile(f *testing.F) {
	fields := setbacks(f)
	for _, seed := range []string{`intensity = 7 AND NOT (state = OPEN OR feelings:SHAME)`, `create_time < timestamp("x")`, "NOT NOT NOT", `a.b.c:"*"`, "\x00\xff"} {
		f.Add(seed)
	}
	s := (&journalv1.Setback{}).ProtoReflect()
	f.Fuzz(func(t *testing.T, text string) {
		match, err := fields.Compile(text)
		if err != nil {
			if _, ok := fault.As(err); !ok {
				t.Fatal(err)
			}
			return
		}
		if match != nil {
			match(s)
		}
	})
}

// TestMapKeys: filters name the keys of a map of texts.
func TestMapKeys(t *testing.T) {
	f, err := filter.New((&eventsv1.AffiliationFacts{}).ProtoReflect().Descriptor(), "attributes")
	if err != nil {
		t.Fatal(err)
	}
	a := &eventsv1.AffiliationFacts{Attributes: map[string]string{"department": "sales", "tenure_band": "0-1", "floor": "3"}}
	for text, want := range map[string]bool{
		`attributes.department = "sales"`:                                          true,
		`attributes.department = sales`:                                            true,
		`attributes.department != "sales"`:                                         false,
		`NOT attributes.department = "legal" AND attributes.tenure_band = "0-1"`:   true,
		`attributes.location = "berlin"`:                                           false,
		`attributes.location != "berlin"`:                                          true,
		`attributes.floor = 3 (attributes.department = x OR attributes.floor = 3)`: true,
	} {
		match, err := f.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := match(a.ProtoReflect()); got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
	for _, text := range []string{
		`attributes = "sales"`, `attributes.department > "a"`, `attributes.department:*`, `attributes:department`, `effective_from = "2026-01-01"`,
		`attributes.a.b = "c"`, `other.department = "sales"`, `attributes.department`, `attributes.department = attributes.floor(1)`,
	} {
		if _, err := f.Compile(text); err == nil {
			t.Errorf("%s is a filter", text)
		} else if fa, ok := fault.As(err); !ok || fa.Violations[0].Field != "filter" {
			t.Errorf("%s: %v", text, err)
		}
	}
}
