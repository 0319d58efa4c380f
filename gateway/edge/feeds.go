package edge

import (
	"context"
	"regexp"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
)

// feed is one stream of the API.
type feed struct {
	// path is where it is; its first group is the parent.
	path *regexp.Regexp
	// item is what an item is called on the wire.
	item string
	// message is the type of an item; items of that type are CloudEvents wherever a
	// client asks for them.
	message protoreflect.FullName
	// attributes are what an item has as a CloudEvent.
	attributes func(item proto.Message) attributes
	// open opens it at a service; what it gives takes the next batch.
	open func(ctx context.Context, o Options, from place) (func() (batch, error), error)
}

// place is where a client wants a stream to begin, and what of it.
type place struct{ parent, start, token, filter string }

// feeds are all streams.
var feeds = []feed{
	{
		path: regexp.MustCompile(`^/v1/(tenants/[^/:]+(?:/people/[^/:]+)?)/insights:stream$`), item: "insight",
		message: "rebound.insights.v1.Insight", attributes: insightAttributes,
		open: func(ctx context.Context, o Options, p place) (func() (batch, error), error) {
			stream, err := insightsv1.NewInsightServiceClient(o.Insights).StreamInsights(ctx, &insightsv1.StreamInsightsRequest{
				Parent: p.parent, Start: p.start, ResumeToken: p.token, Filter: p.filter,
			})
			return batches(stream, (*insightsv1.StreamInsightsResponse).GetInsights), err
		},
	},
	{
		path: regexp.MustCompile(`^/v1/(tenants/[^/:]+/people/[^/:]+)/reminders:stream$`), item: "reminder",
		message: "rebound.goals.v1.Reminder", attributes: reminderAttributes,
		open: func(ctx context.Context, o Options, p place) (func() (batch, error), error) {
			stream, err := goalsv1.NewReminderServiceClient(o.Goals).StreamReminders(ctx, &goalsv1.StreamRemindersRequest{
				Parent: p.parent, Start: p.start, ResumeToken: p.token, Filter: p.filter,
			})
			return batches(stream, (*goalsv1.StreamRemindersResponse).GetReminders), err
		},
	},
}

// insightAttributes have the id that the insight's event has in the log, as seen by
// the caller: to a pipeline, the name is a pseudonym.
func insightAttributes(item proto.Message) attributes {
	in := item.(*insightsv1.Insight)
	a := attributes{id: ids.Derived(in.GetName()), source: "rebound/insights", kind: "dev.rebound.insight", subject: in.GetName(), time: in.GetTime()}
	if value := in.GetKind().Descriptor().Values().ByNumber(in.GetKind().Number()); value != nil {
		if traits, _ := proto.GetExtension(value.Options(), insightsv1.E_Traits).(*insightsv1.KindTraits); traits != nil {
			a.kind, a.schema = traits.GetEventType(), traits.GetSchema()
		}
	}
	if in.GetCorrection() != insightsv1.InsightCorrection_INSIGHT_CORRECTION_UNSPECIFIED {
		a.correction, a.corrects = strings.TrimPrefix(in.GetCorrection().String(), "INSIGHT_CORRECTION_"), in.GetCorrects()
	}
	return a
}

// reminderAttributes have an id for each state of a reminder: it may come again.
func reminderAttributes(item proto.Message) attributes {
	r := item.(*goalsv1.Reminder)
	return attributes{
		id: ids.Derived(r.GetName(), r.GetEtag()), source: "rebound/goals", kind: "dev.rebound.reminder.v1",
		subject: r.GetName(), time: r.GetFireTime(),
	}
}

// isStream tells streams from other paths.
func isStream(path string) bool { return strings.HasSuffix(path, ":stream") }

// feedAt finds the stream at a path, and the parent in it.
func feedAt(path string) (f feed, parent string, ok bool) {
	if !isStream(path) {
		return feed{}, "", false
	}
	for _, f := range feeds {
		if m := f.path.FindStringSubmatch(path); m != nil {
			return f, m[1], true
		}
	}
	return feed{}, "", false
}

// streamed is what all responses of streams have.
type streamed interface {
	GetNextToken() string
	GetHistoryEnd() bool
}

// batches takes batches from a stream.
func batches[Res any, Item proto.Message](stream grpc.ServerStreamingClient[Res], items func(*Res) []Item) func() (batch, error) {
	return func() (batch, error) {
		res, err := stream.Recv()
		if err != nil {
			return batch{}, err
		}
		of := any(res).(streamed)
		b := batch{token: of.GetNextToken(), end: of.GetHistoryEnd(), items: make([]proto.Message, 0, len(items(res)))}
		for _, item := range items(res) {
			b.items = append(b.items, item)
		}
		addEnding(&b, res)
		return b, nil
	}
}
