package domain

import (
	"context"
	"time"

	"golang.org/x/text/language"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// Defaults of a profile that was never written.
const (
	defaultZone   = "UTC"
	defaultLocale = "en"
)

func (d *Domain) profiles() resource.Type[*journalv1.Profile] {
	return resource.Type[*journalv1.Profile]{
		Defaults: func(_ context.Context, _ string, p *journalv1.Profile, _ time.Time) error {
			if p.GetTimeZone() == "" {
				p.TimeZone = defaultZone
			}
			if p.GetLocale() == "" {
				p.Locale = defaultLocale
			}
			if p.GetConsents() == nil {
				p.Consents = &journalv1.Consents{}
			}
			return nil
		},
		Decide: decideProfile,
	}
}

func decideProfile(_ context.Context, c resource.Change[*journalv1.Profile]) ([]*eventsv1.Event, error) {
	p := c.New
	if _, err := localdate.CheckZone("profile.time_zone", p.GetTimeZone()); err != nil {
		return nil, err
	}
	if _, err := language.Parse(p.GetLocale()); err != nil {
		return nil, fault.Invalid("profile.locale", "LOCALE_INVALID", "must be a BCP 47 language tag, such as de-CH")
	}
	if err := localdate.CheckDayStart("profile.day_start", p.GetDayStart()); err != nil {
		return nil, err
	}
	if p.Consents == nil {
		p.Consents = &journalv1.Consents{}
	}
	// The zero profile stands for one never written, where nothing is consented to.
	was := c.Old.GetConsents()
	if p.Consents.AggregateInsights != was.GetAggregateInsights() {
		p.Consents.AggregateInsightsChangeTime = timestamppb.New(c.Now)
	}
	if p.Consents.ShareWithPipeline != was.GetShareWithPipeline() {
		p.Consents.ShareWithPipelineChangeTime = timestamppb.New(c.Now)
	}
	return c.Event("updated", &eventsv1.Event{Data: &eventsv1.Event_Profile{Profile: &eventsv1.ProfileFacts{
		TimeZone: p.GetTimeZone(), DayStart: p.GetDayStart(), Locale: p.GetLocale(),
		AggregateInsights: p.Consents.AggregateInsights, ShareWithPipeline: p.Consents.ShareWithPipeline,
	}}}), nil
}
