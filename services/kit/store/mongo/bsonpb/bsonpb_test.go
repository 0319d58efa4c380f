package bsonpb_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/bsonpb"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/internal/randpb"
)

// TestRoundTrip: every message of every package comes back as it was.
func TestRoundTrip(t *testing.T) {
	for _, typ := range randpb.Types() {
		t.Run(string(typ.Descriptor().FullName()), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				m := randpb.Draw(rt, typ)
				raw, err := bsonpb.Marshal(m)
				if err != nil {
					rt.Fatal(err)
				}
				back := typ.New().Interface()
				if err := bsonpb.Unmarshal(raw, back); err != nil {
					rt.Fatal(err)
				}
				if !proto.Equal(m, back) {
					rt.Fatalf("came back different:\n got %v\nwant %v", back, m)
				}
				again, err := bsonpb.Marshal(back)
				if err != nil || string(again) != string(raw) {
					rt.Fatalf("equal messages give different documents: %v", err)
				}
			})
		})
	}
}

// TestShape: what people see with the database's tools.
func TestShape(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 30, 0, 123e6, time.UTC)
	raw, err := bsonpb.Marshal(&journalv1.Setback{
		Title: "lost the pitch", State: typev1.SetbackState_SETBACK_STATE_OPEN, CreateTime: timestamppb.New(at),
		OccurredOn: &date.Date{Year: 2026, Month: 2, Day: 3}, Feelings: []typev1.Feeling{typev1.Feeling_FEELING_SHAME, 99},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := bson.D{
		{Key: "title", Value: "lost the pitch"}, {Key: "state", Value: "SETBACK_STATE_OPEN"}, {Key: "create_time", Value: bson.NewDateTimeFromTime(at)},
		{Key: "occurred_on", Value: "2026-02-03"}, {Key: "feelings", Value: bson.A{"FEELING_SHAME", int32(99)}},
	}
	var got bson.D
	if err := bson.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	for _, e := range got {
		fields[e.Key] = e.Value
	}
	for _, e := range want {
		if a, ok := e.Value.(bson.A); ok {
			if g, _ := fields[e.Key].(bson.A); len(g) != len(a) || g[0] != a[0] || g[1] != a[1] {
				t.Errorf("%s is %v, want %v", e.Key, fields[e.Key], e.Value)
			}
		} else if fields[e.Key] != e.Value {
			t.Errorf("%s is %v, want %v", e.Key, fields[e.Key], e.Value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("unexpected fields in %v", got)
	}
}

// TestCorners: what the short forms, field names and numbers cannot hold.
func TestCorners(t *testing.T) {
	for name, m := range map[string]proto.Message{
		"partial date":    &journalv1.Setback{OccurredOn: &date.Date{Year: 2026}},
		"no date":         &journalv1.Setback{OccurredOn: &date.Date{}},
		"30 February":     &journalv1.Setback{OccurredOn: &date.Date{Year: 2026, Month: 2, Day: 30}},
		"negative date":   &journalv1.Setback{OccurredOn: &date.Date{Year: -5, Month: -1, Day: 1}},
		"year 20000":      &journalv1.Setback{OccurredOn: &date.Date{Year: 20000, Month: 1, Day: 1}},
		"nanoseconds":     &journalv1.Setback{CreateTime: &timestamppb.Timestamp{Seconds: 5, Nanos: 1}},
		"before 1970":     &journalv1.Setback{CreateTime: &timestamppb.Timestamp{Seconds: -5, Nanos: 7e6}},
		"impossible time": &journalv1.Setback{CreateTime: &timestamppb.Timestamp{Seconds: math.MinInt64, Nanos: -1}},
		"keys":            &storagev1.Sealed{Texts: map[string]string{"": "a", ".": "b", "$x": "c", "%": "d", "%2E": "e", "\x00": "f", "%25": "g", "ü.$": "h"}},
		"number keys":     &storagev1.Projection{ToldMomentum: map[int32]int32{math.MinInt32: 1, 0: 0, 7: -1}},
		"told zero":       &storagev1.Projection{ToldMood: proto.Float64(0)},
		"minus zero":      &storagev1.MoodBase{Level: math.Copysign(0, -1)},
		"not a number":    &storagev1.MoodBase{Level: math.NaN()},
		"largest uint64":  &wrapperspb.UInt64Value{Value: math.MaxUint64},
		"NUL":             &journalv1.Setback{Title: "a\x00b"},
	} {
		raw, err := bsonpb.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		back := m.ProtoReflect().New().Interface()
		if err := bsonpb.Unmarshal(raw, back); err != nil || !proto.Equal(back, m) {
			t.Errorf("%s: %v\n got %v\nwant %v", name, err, back, m)
		}
	}
	if f := math.Copysign(0, -1); !math.Signbit(f) {
		t.Fatal("the test's zero has no sign")
	}
}

// TestForeign: documents that another release or a person has written.
func TestForeign(t *testing.T) {
	marshal := func(d bson.D) bson.Raw {
		raw, err := bson.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	got := &journalv1.Setback{Title: "from before"}
	err := bsonpb.Unmarshal(marshal(bson.D{
		{Key: "unheard_of", Value: 1}, {Key: "state", Value: "SETBACK_STATE_TO_COME"},
		{Key: "intensity", Value: 3.0}, {Key: "feelings", Value: bson.A{"FEELING_TO_COME", "FEELING_SHAME"}},
	}), got)
	if want := (&journalv1.Setback{Intensity: 3, Feelings: []typev1.Feeling{typev1.Feeling_FEELING_SHAME}}); err != nil || !proto.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for name, d := range map[string]bson.D{
		"text for number": {{Key: "intensity", Value: "secret"}},
		"fraction":        {{Key: "intensity", Value: 1.5}},
		"out of range":    {{Key: "intensity", Value: int64(1) << 40}},
		"list for text":   {{Key: "title", Value: bson.A{"secret"}}},
		"text for list":   {{Key: "feelings", Value: "secret"}},
		"text for date":   {{Key: "occurred_on", Value: "secret"}},
		"text for time":   {{Key: "create_time", Value: "secret"}},
	} {
		if err := bsonpb.Unmarshal(marshal(d), &journalv1.Setback{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, d := range map[string]bson.D{
		"no map":       {{Key: "told_momentum", Value: 1}},
		"no number":    {{Key: "told_momentum", Value: bson.D{{Key: "secret", Value: 1}}}},
		"wrong values": {{Key: "told_momentum", Value: bson.D{{Key: "1", Value: "secret"}}}},
	} {
		if err := bsonpb.Unmarshal(marshal(d), &storagev1.Projection{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := bsonpb.Unmarshal(bson.Raw{1, 2}, &journalv1.Setback{}); err == nil {
		t.Error("a broken document was accepted")
	}
	if _, err := bsonpb.Marshal(&journalv1.Setback{Title: "\xff"}); err == nil {
		t.Error("text that is no UTF-8 was accepted")
	}
}

// FuzzUnmarshal: no document makes it panic.
func FuzzUnmarshal(f *testing.F) {
	raw, err := bsonpb.Marshal(&storagev1.Projection{Name: "n", Positions: map[string]int64{"a": 1}, MoodBase: &storagev1.MoodBase{N: 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(raw))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, m := range []protoreflect.ProtoMessage{&storagev1.Projection{}, &journalv1.Setback{}} {
			if err := bsonpb.Unmarshal(data, m); err != nil {
				continue
			}
			if _, err := bsonpb.Marshal(m); err != nil && !strings.Contains(err.Error(), bsonpb.ErrText.Error()) {
				t.Fatal(err)
			}
		}
	})
}
