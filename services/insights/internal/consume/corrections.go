package consume

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/erasure"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// eventSource is the source of this service's events.
const eventSource = "rebound/insights"

// eventTypes are the types of the events that tell insights.
var eventTypes = map[insightsv1.InsightCorrection]string{
	insightsv1.InsightCorrection_INSIGHT_CORRECTION_UNSPECIFIED: "insight.concluded",
	insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED:   "insight.retracted",
	insightsv1.InsightCorrection_INSIGHT_CORRECTION_RESTATED:    "insight.restated",
}

// marked adds to the writes of insights those that mark what corrections among them
// correct. A mark is written before its correction: whoever sees an insight without
// one, and has not seen the correction, meets that in the log later. The time of the
// record stays, so that it stays where it is in the order of a snapshot.
func (c *Consumer) marked(ctx context.Context, writes []store.Write) ([]store.Write, error) {
	pending := map[string]*store.Record{}
	var names []string
	for i := range writes {
		in := writes[i].Record.Body.(*insightsv1.Insight)
		if pending[in.GetName()] == nil {
			pending[in.GetName()] = &writes[i].Record
		}
		if in.GetCorrects() != "" {
			names = append(names, in.GetCorrects())
		}
	}
	if len(names) == 0 {
		return writes, nil
	}
	found := map[string]store.Record{}
	for len(names) > 0 {
		n := min(len(names), store.MaxPage)
		some, err := c.docs.GetBatch(ctx, Insights, names[:n])
		if err != nil {
			return nil, err
		}
		for name, rec := range some {
			found[name] = rec
		}
		names = names[n:]
	}
	out := make([]store.Write, 0, 2*len(writes))
	for i := range writes {
		in := writes[i].Record.Body.(*insightsv1.Insight)
		if rec, ok := found[in.GetCorrects()]; !ok {
			if waits := pending[in.GetCorrects()]; waits != nil {
				waits.Body = correctedBy(waits.Body, in.GetName()) // the event keeps what was told
			}
		} else if rec.Body.(*insightsv1.Insight).GetCorrectedBy() == "" {
			rec.Body = correctedBy(rec.Body, in.GetName())
			out = append(out, store.Write{Op: store.Replace, Record: rec})
		}
		out = append(out, writes[i])
	}
	for i := range out { // what was marked while it waited
		if rec := pending[out[i].Record.Name]; rec != nil && out[i].Op == store.Insert {
			out[i].Record = *rec
		}
	}
	return out, nil
}

// publish writes insights. One that exists was told before, which is fine, unless it was
// to carry the mark of its correction: then another process has told it meanwhile,
// without. That is ErrConflict: the mark has to be written on what there is now.
func (c *Consumer) publish(ctx context.Context, writes []store.Write) error {
	if len(writes) == 0 {
		return nil
	}
	for i, res := range c.docs.Commit(ctx, writes...) {
		marked := writes[i].Record.Body.(*insightsv1.Insight).GetCorrectedBy() != ""
		switch {
		case errors.Is(res.Err, store.ErrExists) && marked:
			return store.ErrConflict
		case res.Err != nil && !errors.Is(res.Err, store.ErrExists):
			return res.Err
		}
	}
	return nil
}

func correctedBy(body proto.Message, name string) *insightsv1.Insight {
	in := proto.CloneOf(body.(*insightsv1.Insight))
	in.CorrectedBy = name
	return in
}

// tombstone is the event by which those who could read a person's insights learn that
// the person was erased.
func (c *Consumer) tombstone(owner string) *eventsv1.Event {
	return &eventsv1.Event{
		Id: ids.Derived(owner, erasure.EventType), Source: eventSource, Type: erasure.EventType, Subject: owner, Owner: owner,
		Time: timestamppb.New(c.clock()), Data: &eventsv1.Event_PersonErased{PersonErased: &eventsv1.PersonErasedFacts{}},
	}
}
