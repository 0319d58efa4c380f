package calendar

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// secretUse is what secrets are sealed for.
const secretUse = "calendar"

// errNoLink is all that anybody learns of a secret that leads nowhere.
var errNoLink = &fault.Fault{Code: codes.NotFound, Reason: "NOT_FOUND", Message: "there is no such calendar"}

// ReplaceCalendarLink makes a new link. Its secret is a sealed token: it leads to
// the person without a search, and nobody can make one up. What is kept is a
// digest of its random part, so that one link at most is good.
func (s *Service) ReplaceCalendarLink(ctx context.Context, req *journalv1.ReplaceCalendarLinkRequest) (*journalv1.ReplaceCalendarLinkResponse, error) {
	id := s.newID()
	link, err := s.Links.Mutate(ctx, "replaced", req.GetName(), req.GetEtag(), func(l *journalv1.CalendarLink, now time.Time) error {
		l.IssueTime, l.Fingerprint = timestamppb.New(now), fingerprint(id)
		if req.IncludeTitles != nil {
			l.IncludeTitles = req.GetIncludeTitles()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	secret, err := s.deps.Tokens.Seal(secretUse, &storagev1.CalendarSecret{Person: resource.Owner(link.GetName()), Id: id})
	if err != nil {
		return nil, err
	}
	return &journalv1.ReplaceCalendarLinkResponse{CalendarLink: link, Secret: secret, Path: "/v1/calendars/" + secret + "/calendar.ics"}, nil
}

// RevokeCalendarLink ends the link.
func (s *Service) RevokeCalendarLink(ctx context.Context, req *journalv1.RevokeCalendarLinkRequest) (*journalv1.CalendarLink, error) {
	return s.Links.Mutate(ctx, "revoked", req.GetName(), req.GetEtag(), func(l *journalv1.CalendarLink, _ time.Time) error {
		l.IssueTime, l.Fingerprint = nil, ""
		return nil
	})
}

// follow finds whose calendar a secret leads to.
func (s *Service) follow(ctx context.Context, secret string) (owner string, _ *journalv1.CalendarLink, _ error) {
	var c storagev1.CalendarSecret
	if err := s.deps.Tokens.Open(secretUse, secret, &c); err != nil {
		return "", nil, errNoLink
	}
	if len(s.parts.Tenants) > 0 && !slices.Contains(s.parts.Tenants, tenantOf(c.GetPerson())) {
		return "", nil, errNoLink
	}
	link, err := s.Links.Fetch(ctx, c.GetPerson()+"/calendarLink")
	if err != nil {
		return "", nil, err
	}
	if subtle.ConstantTimeCompare([]byte(link.GetFingerprint()), []byte(fingerprint(c.GetId()))) != 1 {
		return "", nil, errNoLink
	}
	return c.GetPerson(), link, nil
}

func fingerprint(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}
