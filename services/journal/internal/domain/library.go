package domain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const (
	// leastShown is from how many on a count is shown: a smaller one could tell
	// who it was.
	leastShown = 5
	// maxMarks is how many marks of one kind are counted.
	maxMarks = 10_000
)

// libraryStories are written by publishing only, and tell nothing of their
// authors: neither who, nor when exactly. Who has marked one is kept apart, so
// that a story never changes.
func (d *Domain) libraryStories() resource.Type[*journalv1.LibraryStory] {
	return resource.Type[*journalv1.LibraryStory]{
		ReadOnly:  true,
		Filter:    []string{"area", "failure_kind", "quarter"},
		Order:     []string{"name"},
		Ascending: true,
		Derive:    d.deriveCounts,
	}
}

func (d *Domain) libraryMarks() resource.Type[*storagev1.LibraryMarks] {
	return resource.Type[*storagev1.LibraryMarks]{ReadOnly: true, Order: []string{"name"}}
}

// marksOf is the name of the marks of a library story.
func marksOf(story string) string {
	return strings.Replace(story, "/libraryStories/", "/libraryMarks/", 1)
}

// deriveCounts counts the marks of all stories with one read.
func (d *Domain) deriveCounts(ctx context.Context, stories []*journalv1.LibraryStory) error {
	names := make([]string, len(stories))
	for i, s := range stories {
		names[i] = marksOf(s.GetName())
	}
	marks, err := d.LibraryMarks.Batch(ctx, names)
	if err != nil {
		return err
	}
	for i, s := range stories {
		m := marks[names[i]]
		s.HelpfulCount, s.MeTooCount = shownCount(m.GetHelpful()), shownCount(m.GetMeToo())
	}
	return nil
}

func shownCount(marks []string) *int32 {
	if len(marks) < leastShown {
		return nil
	}
	return proto.Int32(int32(len(marks)))
}

// PublishStoryVersion puts a version into the tenant's library. These are
// several documents: the version remembers first under which name, so that calling
// again finishes what was cut short, and nothing is published twice.
func (d *Domain) PublishStoryVersion(ctx context.Context, req *journalv1.PublishStoryVersionRequest) (*journalv1.StoryVersion, error) {
	story, err := d.Stories.Fetch(ctx, parentName(req.GetName()))
	if err != nil {
		return nil, err
	}
	tenant := strings.Join(strings.SplitN(req.GetName(), "/", 3)[:2], "/")
	name := tenant + "/libraryStories/" + d.opaqueID()
	version, err := d.StoryVersions.Mutate(ctx, "published", req.GetName(), req.GetEtag(), func(v *journalv1.StoryVersion, _ time.Time) error {
		if v.GetText() != req.GetConfirmedText() {
			return fault.Precondition("TEXT_NOT_CONFIRMED", "only the exact text that its author confirms is published")
		}
		if v.LibraryStory == "" {
			v.LibraryStory = name
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	published := &journalv1.LibraryStory{Text: req.GetConfirmedText()}
	when := localdate.Of(version.GetCreateTime().AsTime(), time.UTC)
	if story.GetSetback() != "" {
		setbacks, err := d.Setbacks.Batch(ctx, []string{story.GetSetback()})
		if err != nil {
			return nil, err
		}
		if s := setbacks[story.GetSetback()]; s != nil {
			published.Area, published.FailureKind = s.GetArea(), s.GetFailureKind()
			if s.GetOccurredOn() != nil {
				when = s.GetOccurredOn()
			}
		}
	}
	published.Quarter = quarterOf(when)
	if err := d.LibraryMarks.Put(ctx, marksOf(version.GetLibraryStory()), &storagev1.LibraryMarks{}); err != nil {
		return nil, err
	}
	return version, d.LibraryStories.Put(ctx, version.GetLibraryStory(), published)
}

// quarterOf is the quarter of a date, as 2026-Q4.
func quarterOf(d *datepb.Date) string {
	return fmt.Sprintf("%04d-Q%d", d.GetYear(), (d.GetMonth()+2)/3)
}

// WithdrawStoryVersion takes a version out of the library, then forgets that it
// was there.
func (d *Domain) WithdrawStoryVersion(ctx context.Context, req *journalv1.WithdrawStoryVersionRequest) (*journalv1.StoryVersion, error) {
	version, err := d.StoryVersions.Fetch(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	if req.GetEtag() != "" && req.GetEtag() != version.GetEtag() {
		return nil, fault.Stale(req.GetName())
	}
	if version.GetLibraryStory() == "" {
		return nil, fault.Precondition("NOT_PUBLISHED", "the version is not in the library")
	}
	if err := d.LibraryStories.Drop(ctx, version.GetLibraryStory()); err != nil {
		return nil, err
	}
	if err := d.LibraryMarks.Drop(ctx, marksOf(version.GetLibraryStory())); err != nil {
		return nil, err
	}
	return d.StoryVersions.Mutate(ctx, "withdrawn", req.GetName(), req.GetEtag(), func(v *journalv1.StoryVersion, _ time.Time) error {
		v.LibraryStory = ""
		return nil
	})
}

// WithdrawAll takes back what a person left with others: all that they published in
// the library, and their comments.
func (d *Domain) WithdrawAll(ctx context.Context, owner string) error {
	if err := d.deleteComments(ctx, owner); err != nil {
		return err
	}
	versions, err := d.StoryVersions.All(ctx, owner+"/stories/-")
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.GetLibraryStory() == "" {
			continue
		}
		if _, err := d.WithdrawStoryVersion(ctx, &journalv1.WithdrawStoryVersionRequest{Name: v.GetName()}); err != nil {
			return err
		}
	}
	return nil
}

// MarkLibraryStoryHelpful says that a story helped.
func (d *Domain) MarkLibraryStoryHelpful(ctx context.Context, req *journalv1.MarkLibraryStoryHelpfulRequest) (*journalv1.LibraryStory, error) {
	return d.mark(ctx, req.GetName(), func(m *storagev1.LibraryMarks) *[]string { return &m.Helpful })
}

// MarkLibraryStoryMeToo says that one has been there, too.
func (d *Domain) MarkLibraryStoryMeToo(ctx context.Context, req *journalv1.MarkLibraryStoryMeTooRequest) (*journalv1.LibraryStory, error) {
	return d.mark(ctx, req.GetName(), func(m *storagev1.LibraryMarks) *[]string { return &m.MeToo })
}

// mark adds a person's mark, once. Marks are digests of story and person, kept
// encrypted: they tell that somebody comes again, and no more.
func (d *Domain) mark(ctx context.Context, name string, marks func(*storagev1.LibraryMarks) *[]string) (*journalv1.LibraryStory, error) {
	if _, err := d.LibraryStories.Fetch(ctx, name); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(name + "\x00" + d.person(ctx)))
	digest := hex.EncodeToString(sum[:12])
	if _, err := d.LibraryMarks.Mutate(ctx, "marked", marksOf(name), "", func(m *storagev1.LibraryMarks, _ time.Time) error {
		if have := marks(m); !slices.Contains(*have, digest) && len(*have) < maxMarks {
			*have = append(*have, digest)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return d.LibraryStories.Fetch(ctx, name)
}
