// Package domain is what the journal knows about getting up again: the rules of
// its resource types. How they are stored and served is the kit's matter.
package domain

import (
	"context"
	"time"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/journal/internal/guide"
	"github.com/rebound-hq/rebound/services/journal/internal/telling"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// SchemaVersion grows when stored documents change in a way that older
// releases cannot read.
const SchemaVersion = 2

// Domain is all resource types of the journal.
type Domain struct {
	Setbacks     *resource.Resource[*journalv1.Setback]
	Debriefs     *resource.Resource[*journalv1.Debrief]
	Lessons      *resource.Resource[*journalv1.Lesson]
	CheckIns     *resource.Resource[*journalv1.CheckIn]
	Gratitudes   *resource.Resource[*journalv1.Gratitude]
	Profiles     *resource.Resource[*journalv1.Profile]
	Affiliations *resource.Resource[*journalv1.Affiliation]

	Strengths      *resource.Resource[*journalv1.Strength]
	Reframes       *resource.Resource[*journalv1.Reframe]
	Reflections    *resource.Resource[*journalv1.Reflection]
	Visualizations *resource.Resource[*journalv1.Visualization]
	Connections    *resource.Resource[*journalv1.Connection]
	Outreaches     *resource.Resource[*journalv1.Outreach]
	Stories        *resource.Resource[*journalv1.Story]
	StoryVersions  *resource.Resource[*journalv1.StoryVersion]
	LibraryStories *resource.Resource[*journalv1.LibraryStory]
	LibraryMarks   *resource.Resource[*storagev1.LibraryMarks]

	Grants    *resource.Resource[*journalv1.Grant]
	AccessLog *resource.Resource[*journalv1.AccessLogEntry]
	Comments  *resource.Resource[*journalv1.Comment]

	deps *resource.Deps

	now       clock.Clock
	person    func(context.Context) string
	opaqueID  ids.Source
	questions []*journalv1.DebriefQuestion
	guide     *guide.Guide
	telling   *telling.Rules
}

// New declares the journal's resource types.
func New(deps *resource.Deps) *Domain {
	d := &Domain{
		deps: deps,
		now:  deps.Clock, person: deps.Person, opaqueID: ids.Opaque, questions: questionBank(),
		guide: guide.Must(guide.Load("en")), telling: telling.Must(telling.Load()),
	}
	d.Setbacks = resource.Must(deps, d.setbacks())
	d.Debriefs = resource.Must(deps, d.debriefs())
	d.Lessons = resource.Must(deps, d.lessons())
	d.CheckIns = resource.Must(deps, d.checkIns())
	d.Gratitudes = resource.Must(deps, d.gratitudes())
	d.Profiles = resource.Must(deps, d.profiles())
	d.Affiliations = resource.Must(deps, d.affiliations())
	d.Strengths = resource.Must(deps, d.strengths())
	d.Reframes = resource.Must(deps, d.reframes())
	d.Reflections = resource.Must(deps, d.reflections())
	d.Visualizations = resource.Must(deps, d.visualizations())
	d.Connections = resource.Must(deps, d.connections())
	d.Outreaches = resource.Must(deps, d.outreaches())
	d.Stories = resource.Must(deps, d.stories())
	d.StoryVersions = resource.Must(deps, d.storyVersions())
	d.LibraryStories = resource.Must(deps, d.libraryStories())
	d.LibraryMarks = resource.Must(deps, d.libraryMarks())
	d.Grants = resource.Must(deps, d.grants())
	d.AccessLog = resource.Must(deps, d.accessLog())
	d.Comments = resource.Must(deps, d.comments())
	return d
}

// Kinds is what the store must know.
func (d *Domain) Kinds() []store.Kind {
	return []store.Kind{
		d.Setbacks.Kind(), d.Debriefs.Kind(), d.Lessons.Kind(), d.CheckIns.Kind(),
		d.Gratitudes.Kind(), d.Profiles.Kind(), d.Affiliations.Kind(),
		d.Strengths.Kind(), d.Reframes.Kind(), d.Reflections.Kind(), d.Visualizations.Kind(),
		d.Connections.Kind(), d.Outreaches.Kind(), d.Stories.Kind(), d.StoryVersions.Kind(), d.LibraryStories.Kind(), d.LibraryMarks.Kind(),
		d.Grants.Kind(), d.AccessLog.Kind(), d.Comments.Kind(),
	}
}

// Zone is a person's time zone, for what is told by the clock elsewhere.
func (d *Domain) Zone(ctx context.Context, owner string) (*time.Location, error) {
	cal, err := d.Calendar(ctx, owner)
	return cal.Zone, err
}

// Calendar is how the person counts days; in UTC and from midnight until they say
// otherwise.
func (d *Domain) Calendar(ctx context.Context, owner string) (localdate.Calendar, error) {
	p, err := d.Profiles.Fetch(access.AsOwner(ctx), owner+"/profile")
	if err != nil {
		return localdate.Calendar{}, err
	}
	return localdate.CalendarOf(p.GetTimeZone(), localdate.Minutes(p.GetDayStart())), nil
}
