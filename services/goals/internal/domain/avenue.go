package domain

import (
	"context"
	"fmt"
	"strings"
	"time"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const (
	open     = typev1.AvenueState_AVENUE_STATE_OPEN
	chosen   = typev1.AvenueState_AVENUE_STATE_CHOSEN
	rejected = typev1.AvenueState_AVENUE_STATE_REJECTED
)

func (d *Domain) avenues() resource.Type[*goalsv1.Avenue] {
	return resource.Type[*goalsv1.Avenue]{
		Filter: []string{"kind", "state", "goal", "values", "ratings.realistic", "ratings.values_fit", "ratings.joy"},
		Order:  []string{"create_time"},
		Decide: d.decideAvenue,
	}
}

func (d *Domain) decideAvenue(ctx context.Context, c resource.Change[*goalsv1.Avenue]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("added", nil), nil
	}
	a := c.New
	if c.Created() {
		a.State = open
	}
	facts := &eventsv1.AvenueFacts{
		Kind: a.GetKind(), State: a.GetState(), Values: a.GetValues(), Goal: a.GetGoal(), Experiments: int32(len(a.GetExperiments())),
		Realistic: a.GetRatings().GetRealistic(), ValuesFit: a.GetRatings().GetValuesFit(), Joy: a.GetRatings().GetJoy(),
	}
	for i, e := range a.GetExperiments() {
		if err := localdate.CheckWhole(fmt.Sprintf("avenue.experiments[%d].by", i), e.GetBy()); err != nil {
			return nil, err
		}
		if e.GetLearned() != "" {
			facts.ExperimentsLearned++
		}
	}
	if _, err := d.Values.CheckReferences(ctx, "avenue.values", c.Owner, a.GetValues(), c.Old.GetValues()); err != nil {
		return nil, err
	}
	return c.Event("added", &eventsv1.Event{Data: &eventsv1.Event_Avenue{Avenue: facts}}), nil
}

// BatchCreateAvenues makes an avenue of each line.
func (d *Domain) BatchCreateAvenues(ctx context.Context, req *goalsv1.BatchCreateAvenuesRequest) (*goalsv1.BatchCreateAvenuesResponse, error) {
	docs := make([]*goalsv1.Avenue, len(req.GetLines()))
	for i, line := range req.GetLines() {
		docs[i] = &goalsv1.Avenue{Title: strings.TrimSpace(line), Kind: req.GetKind()}
	}
	made, err := d.Avenues.CreateAll(ctx, req.GetParent(), req.GetRequestId(), docs)
	if err != nil {
		return nil, err
	}
	res := &goalsv1.BatchCreateAvenuesResponse{Results: make([]*goalsv1.BatchCreateAvenuesResult, len(made))}
	for i, m := range made {
		res.Results[i] = &goalsv1.BatchCreateAvenuesResult{Status: &rpcstatus.Status{Code: int32(codes.OK)}, Avenue: m.Doc}
		if m.Refused != nil {
			res.Results[i].Status = m.Refused.At(fmt.Sprintf("lines[%d]", i)).GRPCStatus().Proto()
		}
	}
	return res, nil
}

// ChooseAvenue makes a goal of an avenue. These are two documents: the avenue
// remembers first which goal it is, so that calling again gives that one, and
// makes it if the first call was cut short.
func (d *Domain) ChooseAvenue(ctx context.Context, req *goalsv1.ChooseAvenueRequest) (*goalsv1.ChooseAvenueResponse, error) {
	a, err := d.Avenues.Mutate(ctx, "chosen", req.GetName(), req.GetEtag(), func(a *goalsv1.Avenue, now time.Time) error {
		switch a.State {
		case chosen:
			return nil
		case rejected:
			return avenueState(a, "chosen; reopen it first")
		}
		// Two who choose at once name the same goal; an avenue that was made anew under
		// an earlier one's name does not.
		id := ids.Derived(a.GetName(), a.GetCreateTime().AsTime().String())
		a.State, a.DecideTime = chosen, timestamppb.New(now)
		a.Goal = resource.Owner(a.GetName()) + "/goals/" + id
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := d.Goals.Put(ctx, a.GetGoal(), &goalsv1.Goal{Title: a.GetTitle(), Origins: []string{a.GetName()}}); err != nil {
		return nil, err
	}
	g, err := d.Goals.Fetch(ctx, a.GetGoal())
	if err != nil {
		return nil, err
	}
	return &goalsv1.ChooseAvenueResponse{Avenue: a, Goal: g}, nil
}

// RejectAvenue puts an avenue aside. Rejecting again changes the reason only.
func (d *Domain) RejectAvenue(ctx context.Context, req *goalsv1.RejectAvenueRequest) (*goalsv1.Avenue, error) {
	return d.Avenues.Mutate(ctx, "rejected", req.GetName(), req.GetEtag(), func(a *goalsv1.Avenue, now time.Time) error {
		switch a.State {
		case chosen:
			return avenueState(a, "rejected; its goal can be dropped")
		case open:
			a.State, a.DecideTime = rejected, timestamppb.New(now)
		}
		a.RejectReason = req.GetReason()
		return nil
	})
}

// ReopenAvenue takes an avenue up again that was put aside.
func (d *Domain) ReopenAvenue(ctx context.Context, req *goalsv1.ReopenAvenueRequest) (*goalsv1.Avenue, error) {
	return d.Avenues.Mutate(ctx, "reopened", req.GetName(), req.GetEtag(), func(a *goalsv1.Avenue, _ time.Time) error {
		if a.State == chosen {
			return avenueState(a, "reopened; its goal can be resumed")
		}
		a.State, a.DecideTime, a.RejectReason = open, nil, ""
		return nil
	})
}

func avenueState(a *goalsv1.Avenue, refused string) error {
	return fault.Precondition("AVENUE_STATE", "an avenue that is %s cannot be %s", strings.TrimPrefix(a.State.String(), "AVENUE_STATE_"), refused)
}
