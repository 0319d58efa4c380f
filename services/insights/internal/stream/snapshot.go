package stream

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// A snapshot is the insights that stand, read along an index: a person's by their
// time, a tenant's by when they were written, so that their order tells nothing of
// names. Before it begins, the log's heads are noted, and from there the stream goes
// on after it. All that the log holds up to the heads was there to be read: nothing is
// lost. What is written meanwhile may be read, and lies after the heads too: it is
// recognised by its name.

// fromSnapshot is the start that asks for one.
const fromSnapshot = "SNAPSHOT"

const (
	// snapshotPage is how many insights are read at once. All that have one key are
	// sent together, however many.
	snapshotPage = 500
	// near is how far the time in a document may lie from its place in the log:
	// clocks differ, and a relay takes its time.
	near = time.Minute
)

// The index along which a tenant is read.
const (
	tenantKey   = "tenant"
	tenantIndex = "tenant_update"
	personIndex = "by_time"
)

// Kind adds to the kind of insights what snapshots are read along.
func Kind(k store.Kind) store.Kind {
	k.Keys = append(slices.Clone(k.Keys), store.Key{Name: tenantKey, Type: store.Text, Of: func(body proto.Message) store.Value {
		return strings.Join(strings.SplitN(body.(*insightsv1.Insight).GetName(), "/", 3)[:2], "/")
	}})
	k.Indexes = append(slices.Clone(k.Indexes), store.Index{Name: tenantIndex, Keys: []string{tenantKey, store.KeyUpdateTime}})
	return k
}

// query is how the view's insights are read.
func (v *view) query() store.Query {
	index := personIndex
	if v.mode == pseudonymous {
		index = tenantIndex
	}
	return store.Query{Kind: consume.Insights, Index: index, Prefix: []store.Value{v.under}, Limit: cmp.Or(v.server.page, snapshotPage)}
}

// key is the last key of the view's index.
func (v *view) key(r store.Record) int64 {
	if v.mode == pseudonymous {
		return r.UpdateTime.UnixMilli()
	}
	return r.Body.(*insightsv1.Insight).GetTime().AsTime().UnixMilli()
}

// beginSnapshot notes the heads, then what belongs to the snapshot.
func (r *run) beginSnapshot(ctx context.Context) (err error) {
	if r.positions, err = r.server.Bookmarks.Start(ctx, r.scope, eventlog.Latest, ""); err != nil {
		return err
	}
	now := r.server.Clock()
	r.snapshot = &storagev1.Snapshot{After: math.MinInt64, Until: math.MinInt64, Begin: now.UnixMilli(), Recent: now.Add(-near).UnixMilli()}
	q := r.view.query()
	q.Descending, q.Limit = true, 1
	page, err := r.server.Docs.List(ctx, q)
	for _, newest := range page.Records {
		r.snapshot.Until = r.view.key(newest)
		r.snapshot.Recent = min(r.snapshot.GetRecent(), newest.UpdateTime.Add(-near).UnixMilli())
	}
	return err
}

// sendSnapshot sends what is left of the snapshot, and its end.
func (r *run) sendSnapshot(ctx context.Context) error {
	r.last = time.Now()
	for r.snapshot.GetAfter() < r.snapshot.GetUntil() {
		records, after, err := r.read(ctx)
		if err != nil {
			return err
		}
		if err := r.sendRecords(ctx, records, after); err != nil {
			return err
		}
	}
	r.snapshot.Ended = true
	return r.respond(ctx, &insightsv1.StreamInsightsResponse{SnapshotEnd: true})
}

// read gives the records that follow, and the key up to which these are all.
func (r *run) read(ctx context.Context) ([]store.Record, int64, error) {
	q := r.view.query()
	q.Until = r.snapshot.GetUntil() + 1
	if r.snapshot.GetAfter() != math.MinInt64 {
		q.From = r.snapshot.GetAfter() + 1
	}
	var records []store.Record
	for {
		page, err := r.server.Docs.List(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		records = append(records, page.Records...)
		if page.Next == nil {
			return records, r.snapshot.GetUntil(), nil
		}
		last := page.Next.Key.(int64)
		if r.view.key(records[0]) < last { // more with that key may follow
			records = slices.DeleteFunc(records, func(rec store.Record) bool { return r.view.key(rec) >= last })
			return records, last - 1, nil
		}
		q.After = page.Next
	}
}

// sendRecords sends those that stand, in batches; the last has the token after all.
func (r *run) sendRecords(ctx context.Context, records []store.Record, after int64) error {
	standing := make([]store.Record, 0, len(records))
	docs := make([]*insightsv1.Insight, 0, len(records))
	for _, rec := range records {
		in := rec.Body.(*insightsv1.Insight)
		if in.GetCorrectedBy() == "" && in.GetCorrection() != insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED {
			standing, docs = append(standing, rec), append(docs, in)
			continue
		}
		// It is not to come after what stands in its place. Corrections may: what they
		// correct may have been sent before it was.
		if in.GetCorrects() == "" {
			r.note(rec)
		}
	}
	shown, err := r.view.show(ctx, docs, false)
	if err != nil {
		return err
	}
	for i, in := range shown {
		if in != nil {
			r.note(standing[i])
		}
	}
	insights := r.matching(r.inOrder(standing, shown))
	for len(insights) > snapshotPage {
		if err := r.respond(ctx, &insightsv1.StreamInsightsResponse{Insights: insights[:snapshotPage]}); err != nil {
			return err
		}
		insights = insights[snapshotPage:]
	}
	r.snapshot.After = after
	if len(insights) == 0 && time.Since(r.last) < r.server.Heartbeat {
		return nil
	}
	r.last = time.Now()
	return r.respond(ctx, &insightsv1.StreamInsightsResponse{Insights: insights})
}

// inOrder orders those that have one key by what the caller sees: the index orders them
// by name.
func (r *run) inOrder(records []store.Record, shown []*insightsv1.Insight) []*insightsv1.Insight {
	type place struct {
		key int64
		in  *insightsv1.Insight
	}
	places := make([]place, 0, len(shown))
	for i, in := range shown {
		if in != nil {
			places = append(places, place{r.view.key(records[i]), in})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.key, b.key), a.in.GetTime().AsTime().Compare(b.in.GetTime().AsTime()), cmp.Compare(a.in.GetName(), b.in.GetName()))
	})
	out := make([]*insightsv1.Insight, len(places))
	for i, p := range places {
		out[i] = p.in
	}
	return out
}

// note remembers a record that may come in the log, too.
func (r *run) note(rec store.Record) {
	if rec.UpdateTime.UnixMilli() >= r.snapshot.GetRecent() {
		r.recent.add(rec.Name)
	}
}

// forgetSnapshot forgets the snapshot when all it may share with the log has passed.
func (r *run) forgetSnapshot() {
	if r.live && r.snapshot != nil && r.server.Clock().UnixMilli() >= r.snapshot.GetBegin()+2*near.Milliseconds() {
		r.snapshot, r.recent = nil, recent{}
	}
}
