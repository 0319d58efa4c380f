// Package calendar gives what a person has planned in the form that calendar
// programs read, to the person, and to those programs by a secret link.
package calendar

import (
	"context"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	datepb "google.golang.org/genproto/googleapis/type/date"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/journal/internal/domain"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// How far a calendar reaches, in months, and how many entries of each kind it has
// at most; of more, the latest stay.
const (
	monthsBack  = 12
	monthsAhead = 24
	maxEach     = 1000
)

const mediaType = "text/calendar; charset=utf-8"

// Service serves calendars and their links.
type Service struct {
	Links *resource.Resource[*journalv1.CalendarLink]

	deps   *resource.Deps
	domain *domain.Domain
	newID  ids.Source
	parts  Parts
}

// Parts are what the service works with.
type Parts struct {
	// Goals is where steps come from.
	Goals *Goals
	// Pseudonym gives a name that tells nothing and is always the same;
	// keys.Set.Pseudonym is one.
	Pseudonym func(tenant, name string) (string, error)
	// Tenants are those that are served here; none: any.
	Tenants []string
}

// New declares the calendar links.
func New(deps *resource.Deps, d *domain.Domain) *Service {
	return &Service{
		Links: resource.Must(deps, resource.Type[*journalv1.CalendarLink]{Stays: true}),
		deps:  deps, domain: d, newID: ids.Opaque,
	}
}

// Kinds is what the store must know.
func (s *Service) Kinds() []store.Kind { return []store.Kind{s.Links.Kind()} }

// Begin gives the service what there is once the store is open.
func (s *Service) Begin(p Parts) { s.parts = p }

// GetCalendar gives the calendar to the person.
func (s *Service) GetCalendar(ctx context.Context, req *journalv1.GetCalendarRequest) (*httpbody.HttpBody, error) {
	owner := resource.Owner(req.GetParent())
	if req.GetParent() != owner || strings.Count(owner, "/") != 3 {
		return nil, fault.Invalid("parent", "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}")
	}
	return s.calendar(ctx, owner, true)
}

// GetLinkedCalendar gives it to whoever has the link.
func (s *Service) GetLinkedCalendar(ctx context.Context, req *journalv1.GetLinkedCalendarRequest) (*httpbody.HttpBody, error) {
	owner, link, err := s.follow(ctx, req.GetSecret())
	if err != nil {
		return nil, err
	}
	return s.calendar(ctx, owner, link.GetIncludeTitles())
}

func (s *Service) calendar(ctx context.Context, owner string, titles bool) (*httpbody.HttpBody, error) {
	cal, err := s.domain.Calendar(ctx, owner)
	if err != nil {
		return nil, err
	}
	w := windowAt(s.deps.Clock(), cal)
	entries, err := s.fromJournal(ctx, owner, w)
	if err != nil {
		return nil, err
	}
	steps, err := s.parts.Goals.steps(ctx, owner, w)
	if err != nil {
		return nil, err
	}
	text, err := render(append(entries, steps...), look{zone: cal.Zone, titles: titles, uid: func(id string) (string, error) {
		// The word before it keeps a calendar from being matched with what other
		// pseudonyms of the same name are seen.
		return s.parts.Pseudonym(tenantOf(owner), "calendar:"+id)
	}})
	if err != nil {
		return nil, err
	}
	return &httpbody.HttpBody{ContentType: mediaType, Data: text}, nil
}

// tenantOf is the id of an owner's tenant.
func tenantOf(owner string) string { return strings.SplitN(owner, "/", 3)[1] }

// window is the days that a calendar has, the last one exclusive.
type window struct {
	zone        *time.Location
	from, until *datepb.Date
}

// windowAt reaches from a year before today, where the person is, to two years
// after it.
func windowAt(now time.Time, cal localdate.Calendar) window {
	today := cal.Date(now)
	last := localdate.AddMonths(today, monthsAhead)
	return window{cal.Zone, localdate.AddMonths(today, -monthsBack), localdate.FromDays(localdate.Days(last) + 1)}
}

func (w window) has(day *datepb.Date) bool {
	return day != nil && !localdate.After(w.from, day) && localdate.After(w.until, day)
}

// instants are the window's ends as times.
func (w window) instants() (from, until time.Time) {
	return midnight(w.from, w.zone), midnight(w.until, w.zone)
}

func midnight(day *datepb.Date, zone *time.Location) time.Time {
	return time.Date(int(day.GetYear()), time.Month(day.GetMonth()), int(day.GetDay()), 0, 0, 0, 0, zone)
}
