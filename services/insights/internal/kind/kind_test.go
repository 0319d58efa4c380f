package kind

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// TestTraits: every kind says how it is concluded and what it looks like, in data of
// its own, and the names bear the version.
func TestTraits(t *testing.T) {
	data := (&insightsv1.Insight{}).ProtoReflect().Descriptor().Oneofs().ByName("data")
	seen := map[string]bool{}
	for number := range insightsv1.InsightKind_name {
		k := insightsv1.InsightKind(number)
		traits := Traits(k)
		if (traits == nil) != (k == insightsv1.InsightKind_INSIGHT_KIND_UNSPECIFIED) {
			t.Errorf("%s: %v", k, traits)
		}
		if traits == nil {
			continue
		}
		v := fmt.Sprint("v", traits.GetSchemaVersion())
		if want := "insightSchemas/" + strings.ReplaceAll(traits.GetData(), "_", "-") + "-" + v; traits.GetSchema() != want {
			t.Errorf("the schema of %s is %s, want %s", k, traits.GetSchema(), want)
		}
		if want := "dev.rebound.insight." + traits.GetData() + "." + v; traits.GetEventType() != want {
			t.Errorf("the event type of %s is %s, want %s", k, traits.GetEventType(), want)
		}
		if data.Fields().ByName(protoreflect.Name(traits.GetData())) == nil || seen[traits.GetData()] {
			t.Errorf("%s has no data of its own: %s", k, traits.GetData())
		}
		if traits.GetMethod() == "" || traits.GetMethodVersion() == "" || traits.GetSchemaVersion() < 1 {
			t.Errorf("%s: %v", k, traits)
		}
		seen[traits.GetData()] = true
	}
	if len(seen) != data.Fields().Len() {
		t.Errorf("%d kinds for %d data", len(seen), data.Fields().Len())
	}
	if Traits(999) != nil {
		t.Error("a kind that there is not has traits")
	}
}

func TestSchemas(t *testing.T) {
	schemas, err := NewSchemas()
	if err != nil {
		t.Fatal(err)
	}
	list, err := schemas.List(t.Context(), nil)
	if err != nil || len(list.GetInsightSchemas()) != len(insightsv1.InsightKind_name)-1 {
		t.Fatalf("%d schemas, %v", len(list.GetInsightSchemas()), err)
	}
	shift, err := schemas.Get(t.Context(), &insightsv1.GetInsightSchemaRequest{Name: "insightSchemas/mood-shift-v1"})
	if err != nil || shift.GetKind() != insightsv1.InsightKind_INSIGHT_KIND_MOOD_SHIFT || shift.GetMethod() != "ewma" {
		t.Fatalf("%v, %v", shift, err)
	}
	properties := shift.GetJsonSchema().GetFields()["properties"].GetStructValue().GetFields()
	if got := properties["kind"].GetStructValue().GetFields()["const"].GetStringValue(); got != "INSIGHT_KIND_MOOD_SHIFT" {
		t.Errorf("the kind is %q", got)
	}
	before := properties["moodShift"].GetStructValue().GetFields()["properties"].GetStructValue().GetFields()["before"].GetStructValue()
	if before.GetFields()["type"].GetStringValue() != "number" || properties["goalAchieved"] != nil {
		t.Errorf("%v", properties)
	}
	for name, reason := range map[string]string{
		"insightSchemas/mood-shift-v2": "NOT_FOUND", "mood-shift-v1": "NAME_INVALID", "insightSchemas/": "NAME_INVALID", "insightSchemas/a/b": "NAME_INVALID",
	} {
		_, err := schemas.Get(t.Context(), &insightsv1.GetInsightSchemaRequest{Name: name})
		f, ok := fault.As(err)
		got := ""
		if ok {
			if got = f.Reason; len(f.Violations) > 0 {
				got = f.Violations[0].Reason
			}
		}
		if got != reason {
			t.Errorf("%s: %v, want %s", name, err, reason)
		}
	}
}
