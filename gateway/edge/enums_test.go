package edge

import (
	"testing"

	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
)

func TestShortEnumValues(t *testing.T) {
	want := &journalv1.Setback{
		Title: "t", Area: typev1.Area_AREA_PROJECT, Feelings: []typev1.Feeling{typev1.Feeling_FEELING_SHAME, typev1.Feeling_FEELING_FEAR},
		Factors: []*journalv1.Factor{{Kind: typev1.FactorKind_FACTOR_KIND_OVERLOAD, Note: "OVERLOAD"}}, Intensity: 7,
	}
	for _, text := range []string{
		`{"title": "t", "area": "PROJECT", "feelings": ["SHAME", "FEELING_FEAR"], "factors": [{"kind": "OVERLOAD", "note": "OVERLOAD"}], "intensity": 7}`,
		`{"title": "t", "area": "AREA_PROJECT", "feelings": ["FEELING_SHAME", "FEELING_FEAR"], "factors": [{"kind": "FACTOR_KIND_OVERLOAD", "note": "OVERLOAD"}], "intensity": 7}`,
		`{"title": "t", "area": 2, "feelings": ["SHAME", 2], "factors": [{"kind": "OVERLOAD", "note": "OVERLOAD"}], "intensity": 7}`,
	} {
		got := &journalv1.Setback{}
		if err := marshaler().Unmarshal([]byte(text), got); err != nil || !proto.Equal(got, want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		var field *journalv1.Setback // as the gateway decodes the body of a create
		if err := marshaler().Unmarshal([]byte(text), &field); err != nil || !proto.Equal(field, want) {
			t.Errorf("%s: %v, %v", text, field, err)
		}
	}
	for _, text := range []string{`{"area": "MOON"}`, `{"area": "project"}`, `{"feelings": "SHAME"}`, `{"area": {"PROJECT": 1}}`, `{"unknown": "PROJECT"}`, `{`, `[]`, `null x`, ``} {
		if err := marshaler().Unmarshal([]byte(text), &journalv1.Setback{}); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// TestShortEnumsInQueries: as in bodies; what is unknown stays as it is.
func TestShortEnumsInQueries(t *testing.T) {
	md := (&insightsv1.GetChartRequest{}).ProtoReflect().Descriptor()
	for query, want := range map[string]string{
		"theme=DARK": "theme=CHART_THEME_DARK", "widthPx=400&theme=LIGHT": "theme=CHART_THEME_LIGHT&widthPx=400", "theme=CHART_THEME_DARK": "theme=CHART_THEME_DARK",
		"theme=2": "theme=2", "theme=dark": "theme=dark", "Theme=DARK": "Theme=DARK", "widthPx=DARK": "widthPx=DARK", "theme=%zz": "theme=%zz", "": "",
	} {
		if got := expandQuery(query, md); got != want {
			t.Errorf("%q: %q", query, got)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"title": "t", "area": "PROJECT", "factors": [{"kind": "OVERLOAD"}]}`)
	f.Add(`{"factors": [[{"kind": ["OVERLOAD"]}]], "occurredOn": {"year": 1e400}}`)
	f.Fuzz(func(_ *testing.T, text string) {
		_ = marshaler().Unmarshal([]byte(text), &journalv1.Setback{}) // refused or not, it does not panic
	})
}
