package domain

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// maxCheckIns is how many check-ins of a key result are kept; the oldest go first.
const maxCheckIns = 100

// settleKeyResults completes the key results of a goal that is about to be written: ids,
// where they stand, their history and scores.
func (d *Domain) settleKeyResults(c resource.Change[*goalsv1.Goal]) error {
	before := map[string]*goalsv1.KeyResult{}
	for _, k := range c.Old.GetKeyResults() {
		before[k.GetId()] = k
	}
	seen := map[string]bool{}
	var sum float64
	for i, k := range c.New.GetKeyResults() {
		at := fmt.Sprintf("goal.key_results[%d].", i)
		if err := d.identify(at+"id", &k.Id, seen); err != nil {
			return err
		}
		if k.GetStart() == k.GetTarget() {
			return fault.Invalid(at+"target", "TARGET_IS_START", "must be another number than start")
		}
		d.stand(k, before[k.GetId()], c.Now)
		k.Score = keyResultScore(k)
		sum += k.GetScore()
	}
	c.New.Score = nil
	if n := len(c.New.GetKeyResults()); n > 0 {
		c.New.Score = proto.Float64(sum / float64(n))
	}
	return nil
}

// identify gives an element of a list an id when it has none, and refuses one that
// another element has.
func (d *Domain) identify(field string, id *string, seen map[string]bool) error {
	if *id == "" {
		*id = d.newID()
	}
	if seen[*id] {
		return fault.Invalid(field, "ID_REPEATED", "must be another one for each")
	}
	seen[*id] = true
	return nil
}

// stand completes where a key result stands, and notes it when it has changed other than
// by a check-in. The first of the history is what the start does not tell.
func (d *Domain) stand(k, before *goalsv1.KeyResult, now time.Time) {
	if k.Current == nil {
		k.Current = proto.Float64(k.GetStart())
		if before != nil {
			k.Current = proto.Float64(before.GetCurrent())
		}
	}
	if k.Confidence == nil && before != nil {
		k.Confidence = before.Confidence
	}
	last := &goalsv1.KeyResultCheckIn{Current: k.GetStart()}
	if n := len(k.GetCheckIns()); n > 0 {
		last = k.GetCheckIns()[n-1]
	} else if before != nil {
		last = &goalsv1.KeyResultCheckIn{Current: before.GetCurrent(), Confidence: before.Confidence}
	}
	if k.GetCurrent() != last.GetCurrent() || !sameConfidence(k.Confidence, last.Confidence) {
		checkIn(k, d.newID(), "", now)
	}
}

func sameConfidence(a, b *float64) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// checkIn adds where a key result stands to its history.
func checkIn(k *goalsv1.KeyResult, id, note string, now time.Time) {
	entry := &goalsv1.KeyResultCheckIn{Id: id, CheckInTime: timestamppb.New(now), Current: k.GetCurrent(), Note: note}
	if k.Confidence != nil {
		entry.Confidence = proto.Float64(k.GetConfidence())
	}
	k.CheckIns = append(k.CheckIns, entry)
	k.CheckIns = k.CheckIns[max(0, len(k.CheckIns)-maxCheckIns):]
}

// keyResultScore is how much of the way from start to target is done, 0 to 1. It holds
// for targets below the start too: then both differences are negative.
func keyResultScore(k *goalsv1.KeyResult) float64 {
	return min(1, max(0, (k.GetCurrent()-k.GetStart())/(k.GetTarget()-k.GetStart())))
}

// meanConfidence is the mean of what is stated; nil: nothing is.
func meanConfidence(results []*goalsv1.KeyResult) *float64 {
	var sum float64
	n := 0
	for _, k := range results {
		if k.Confidence != nil {
			sum += k.GetConfidence()
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return proto.Float64(sum / float64(n))
}

// CheckInKeyResult notes where a key result stands now.
func (d *Domain) CheckInKeyResult(ctx context.Context, req *goalsv1.CheckInKeyResultRequest) (*goalsv1.Goal, error) {
	id := d.requestedID(req.GetName(), req.GetKeyResult(), req.GetRequestId())
	return d.Goals.Mutate(ctx, "checkedIn", req.GetName(), req.GetEtag(), func(g *goalsv1.Goal, now time.Time) error {
		i := slices.IndexFunc(g.KeyResults, func(k *goalsv1.KeyResult) bool { return k.GetId() == req.GetKeyResult() })
		if i < 0 {
			return fault.Invalid("key_result", "KEY_RESULT_UNKNOWN", "must be the id of a key result of the goal")
		}
		k := g.KeyResults[i]
		if slices.ContainsFunc(k.CheckIns, func(e *goalsv1.KeyResultCheckIn) bool { return e.GetId() == id }) {
			return nil // the same request came again
		}
		if req.Current != nil {
			k.Current = proto.Float64(req.GetCurrent())
		}
		if req.Confidence != nil {
			k.Confidence = proto.Float64(req.GetConfidence())
		}
		checkIn(k, id, req.GetNote(), now)
		return nil
	})
}

// requestedID is the id of what a request adds to an element of a document: the same for
// the same request id, or else a new one.
func (d *Domain) requestedID(name, element, requestID string) string {
	if requestID == "" {
		return d.newID()
	}
	return ids.Derived(name, element, requestID)
}
