package bsonpb

import (
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Messages that have a short form.
const (
	timestampName = "google.protobuf.Timestamp"
	dateName      = "google.type.Date"
)

// The instants that a Timestamp may hold, in seconds since 1970.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

const dateLayout = "2006-01-02"

// shorten gives the short form of a message that has one for its content.
func shorten(m protoreflect.Message) (any, bool) {
	get := func(name protoreflect.Name) protoreflect.Value { return m.Get(m.Descriptor().Fields().ByName(name)) }
	switch m.Descriptor().FullName() {
	case timestampName:
		seconds, nanos := get("seconds").Int(), get("nanos").Int()
		if seconds < minSeconds || seconds > maxSeconds || nanos < 0 || nanos > 999e6 || nanos%1e6 != 0 {
			return nil, false
		}
		return bson.DateTime(seconds*1000 + nanos/1e6), true
	case dateName:
		y, m, d := get("year").Int(), get("month").Int(), get("day").Int()
		text := fmt.Sprintf("%04d-%02d-%02d", y, m, d)
		if t, err := time.Parse(dateLayout, text); err != nil || t.Year() < 1 {
			return nil, false
		}
		return text, true
	}
	return nil, false
}

// lengthen fills a message from its short form; false: it is none.
func lengthen(m protoreflect.Message, v bson.RawValue) bool {
	set := func(name protoreflect.Name, v protoreflect.Value) { m.Set(m.Descriptor().Fields().ByName(name), v) }
	switch m.Descriptor().FullName() {
	case timestampName:
		ms, ok := v.DateTimeOK()
		if ok {
			t := time.UnixMilli(ms)
			set("seconds", protoreflect.ValueOfInt64(t.Unix()))
			set("nanos", protoreflect.ValueOfInt32(int32(t.Nanosecond())))
		}
		return ok
	case dateName:
		text, ok := v.StringValueOK()
		if !ok {
			return false
		}
		t, err := time.Parse(dateLayout, text)
		if err == nil {
			set("year", protoreflect.ValueOfInt32(int32(t.Year())))
			set("month", protoreflect.ValueOfInt32(int32(t.Month())))
			set("day", protoreflect.ValueOfInt32(int32(t.Day())))
		}
		return err == nil
	}
	return false
}

// emptyKey stands for the empty map key; no escaped key is the same.
const emptyKey = "%"

// Both directions of what a map key may not hold, the sign of escape included.
var (
	escaper   = strings.NewReplacer("%", "%25", ".", "%2E", "$", "%24", "\x00", "%00")
	unescaper = strings.NewReplacer("%25", "%", "%2E", ".", "%24", "$", "%00", "\x00")
)

// escape makes a map key one that every server takes as a field name.
func escape(key string) string {
	if key == "" {
		return emptyKey
	}
	return escaper.Replace(key)
}

func unescape(key string) string {
	if key == emptyKey {
		return ""
	}
	return unescaper.Replace(key)
}
