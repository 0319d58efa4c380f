package stream

import (
	"context"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
)

// Limits of what is remembered of people.
const (
	knownPeople = 50_000
	// knownTime is how long a withdrawn consent may still count.
	knownTime = time.Second
)

// standing is how somebody stands to those who read their insights.
type standing struct {
	// consents: pipelines may read them.
	consents bool
	// erased: nobody may.
	erased bool
}

// People knows who lets pipelines read their insights, and who was erased, now.
type People struct {
	generations *consume.Generations
	cache       *expirable.LRU[string, standing]
}

// NewPeople reads it out of projections.
func NewPeople(generations *consume.Generations) *People {
	return &People{generations: generations, cache: expirable.NewLRU[string, standing](knownPeople, nil, knownTime)}
}

// of tells how some people stand; those it does not remember it looks up together. What
// is about insights that were told just now goes by no consent that was missing before:
// it may have been given since, and what is passed over does not come again.
func (p *People) of(ctx context.Context, owners []string, justNow bool) (map[string]standing, error) {
	out := map[string]standing{}
	var missing []string
	for _, owner := range owners {
		if _, ok := out[owner]; ok {
			continue
		}
		known, ok := p.cache.Get(owner)
		if out[owner] = known; !ok || justNow && !known.consents && !known.erased {
			missing = append(missing, owner)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	found, err := p.generations.Projections(ctx, missing...)
	if err != nil {
		return nil, err
	}
	for _, owner := range missing {
		out[owner] = standing{consents: found[owner].GetShareWithPipeline(), erased: found[owner].GetErased()}
		if now, ok := p.cache.Peek(owner); ok && now.erased {
			out[owner] = now // since it was looked up
			continue
		}
		p.cache.Add(owner, out[owner])
	}
	return out, nil
}

// Screen takes out the insights of people who were erased: the log holds them until it
// is trimmed.
func (p *People) Screen(ctx context.Context, events []*eventsv1.Event) ([]*eventsv1.Event, error) {
	owners := make([]string, len(events))
	for i, e := range events {
		owners[i] = e.GetOwner()
	}
	people, err := p.of(ctx, owners, false)
	if err != nil {
		return nil, err
	}
	out := make([]*eventsv1.Event, 0, len(events))
	for _, e := range events {
		if e.GetInsight() == nil || !people[e.GetOwner()].erased {
			out = append(out, e)
		}
	}
	return out, nil
}

// erased notes that somebody was erased, before a look would tell.
func (p *People) erased(owner string) { p.cache.Add(owner, standing{erased: true}) }
