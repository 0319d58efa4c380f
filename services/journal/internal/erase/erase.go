// Package erase erases people: it asks for a confirmation, erases them from the
// journal, tells the other services by an event, and keeps the certificate.
// Whatever is cut short is taken up again.
package erase

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/erasure"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/privacy"
	"github.com/rebound-hq/rebound/services/kit/queue"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	// confirmationLife is how long a confirmation token is good.
	confirmationLife = 15 * time.Minute
	confirmationUse  = "erase"
	// journal is what this service is called in certificates.
	journal = "journal"
)

// services are all that have to do their part.
var services = []string{journal, "goals", "insights"}

// Service erases people.
type Service struct {
	Erasures *resource.Resource[*journalv1.Erasure]

	deps  *resource.Deps
	newID ids.Source
	// Set by Begin, before anything is served.
	docs     store.Documents
	eraser   *erasure.Eraser
	keyring  *privacy.Keyring
	withdraw func(ctx context.Context, owner string) error
	now      clock.Clock
	log      *slog.Logger
	queue    *queue.Queue
}

// New declares the erasures.
func New(deps *resource.Deps) *Service {
	return &Service{
		Erasures: resource.Must(deps, resource.Type[*journalv1.Erasure]{ReadOnly: true, Order: []string{"name"}}),
		deps:     deps, newID: ids.Opaque,
	}
}

// Parts are what the service works with.
type Parts struct {
	Docs    store.Documents
	Eraser  *erasure.Eraser
	Keyring *privacy.Keyring
	// Withdraw takes back what a person published, before the way to it is lost.
	Withdraw func(ctx context.Context, owner string) error
	Log      *slog.Logger
}

// Begin gives the service what there is once the store is open.
func (s *Service) Begin(p Parts) {
	s.docs, s.eraser, s.keyring, s.withdraw, s.log, s.now = p.Docs, p.Eraser, p.Keyring, p.Withdraw, p.Log, s.deps.Clock
	s.queue = s.newQueue()
}

// ErasePerson is both steps.
func (s *Service) ErasePerson(ctx context.Context, req *journalv1.ErasePersonRequest) (*journalv1.ErasePersonResponse, error) {
	owner := resource.Owner(req.GetName())
	if req.GetName() != owner || strings.Count(owner, "/") != 3 {
		return nil, fault.Invalid("name", "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}")
	}
	if req.GetConfirmationToken() == "" {
		return s.ask(ctx, owner)
	}
	var c storagev1.EraseConfirmation
	if err := s.deps.Tokens.Open(confirmationUse, req.GetConfirmationToken(), &c); err != nil || c.GetPerson() != owner || c.GetPrincipal() != s.deps.Principal(ctx) {
		return nil, fault.Invalid("confirmation_token", "CONFIRMATION_INVALID", "was not given for this person and this caller")
	}
	if !s.deps.Clock().Before(c.GetExpireTime().AsTime()) {
		return nil, fault.Invalid("confirmation_token", "CONFIRMATION_EXPIRED", "is older than 15 minutes; ask again")
	}
	// The name comes with the token: sent again, it is the same erasure.
	if err := s.Erasures.Put(ctx, c.GetErasure(), &journalv1.Erasure{
		Person: owner, State: journalv1.Erasure_ERASURE_STATE_RUNNING, StartTime: timestamppb.New(s.deps.Clock()),
	}); err != nil {
		return nil, err
	}
	e, err := s.Erasures.Fetch(ctx, c.GetErasure())
	if err != nil {
		return nil, err
	}
	if !partDone(e, journal) {
		if err := s.queue.Add(ctx, c.GetErasure(), s.now()); err != nil {
			return nil, err
		}
	}
	return &journalv1.ErasePersonResponse{Erasure: e}, nil
}

// ask is the first step.
func (s *Service) ask(ctx context.Context, owner string) (*journalv1.ErasePersonResponse, error) {
	n, err := s.eraser.Count(ctx, owner)
	if err != nil {
		return nil, err
	}
	tenant := strings.Join(strings.SplitN(owner, "/", 3)[:2], "/")
	token, err := s.deps.Tokens.Seal(confirmationUse, &storagev1.EraseConfirmation{
		Person: owner, Principal: s.deps.Principal(ctx), Erasure: tenant + "/erasures/" + s.newID(),
		ExpireTime: timestamppb.New(s.deps.Clock().Add(confirmationLife)),
	})
	return &journalv1.ErasePersonResponse{ConfirmationToken: token, Records: n}, err
}

// GetErasure gives a certificate: to admins any of the tenant's, to a person
// their own.
func (s *Service) GetErasure(ctx context.Context, req *journalv1.GetErasureRequest) (*journalv1.Erasure, error) {
	e, err := s.Erasures.Fetch(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	if person := s.deps.Person(ctx); person != "" && person != e.GetPerson() {
		return nil, fault.NotFound(req.GetName())
	}
	return e, nil
}

// AcknowledgeErasure notes another service's part.
func (s *Service) AcknowledgeErasure(ctx context.Context, req *journalv1.AcknowledgeErasureRequest) (*journalv1.Erasure, error) {
	return s.note(ctx, req.GetName(), req.GetService(), req.GetRecords())
}

// note adds a part to the certificate, once; with the last one it is done.
func (s *Service) note(ctx context.Context, name, service string, records int64) (*journalv1.Erasure, error) {
	return s.Erasures.Mutate(ctx, "noted", name, "", func(e *journalv1.Erasure, now time.Time) error {
		if partDone(e, service) {
			return nil
		}
		e.Parts = append(e.Parts, &journalv1.ErasurePart{Service: service, Records: records, FinishTime: timestamppb.New(now)})
		for _, each := range services {
			if !partDone(e, each) {
				return nil
			}
		}
		e.State, e.FinishTime = journalv1.Erasure_ERASURE_STATE_DONE, timestamppb.New(now)
		return nil
	})
}

func partDone(e *journalv1.Erasure, service string) bool {
	for _, p := range e.GetParts() {
		if p.GetService() == service {
			return true
		}
	}
	return false
}

// carryOut does the journal's part of one erasure: what was published is taken
// back while the way to it can still be read, then the key goes, the documents,
// and the others are told.
func (s *Service) carryOut(ctx context.Context, name string) error {
	e, err := s.Erasures.Fetch(ctx, name)
	if err != nil {
		return err
	}
	owner := e.GetPerson()
	if _, erased, err := s.keyring.Erased(ctx, owner); err != nil {
		return err
	} else if !erased {
		if err := s.withdraw(ctx, owner); err != nil {
			return err
		}
	}
	n, err := s.eraser.Erase(ctx, owner)
	if err != nil {
		return err
	}
	if err := s.keyring.Publish(ctx, owner, name, &eventsv1.Event{
		Id: ids.Derived(name, owner), Source: s.deps.Source, Type: erasure.EventType, Subject: owner, Owner: owner, Time: timestamppb.New(s.now()),
		Data: &eventsv1.Event_PersonErased{PersonErased: &eventsv1.PersonErasedFacts{Erasure: name}},
	}); err != nil {
		return err
	}
	_, err = s.note(ctx, name, journal, n)
	return err
}
