package stream

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
)

// Pseudonymiser hides who names are about; keys.Set.Pseudonym is what makes the
// pseudonyms.
type Pseudonymiser func(tenant, name string) (string, error)

// hide puts pseudonyms into every name of an insight.
func (p Pseudonymiser) hide(in *insightsv1.Insight) error {
	var err error
	if in.Name, err = p.name(in.GetName()); err != nil {
		return err
	}
	for i, s := range in.GetSubjects() {
		if in.Subjects[i], err = p.name(s); err != nil {
			return err
		}
	}
	return nil
}

// name replaces the person, and the ids below too: people choose those, and may
// choose telling ones. The same name always becomes the same.
func (p Pseudonymiser) name(name string) (string, error) {
	segments := strings.Split(name, "/")
	hidden := slices.Clone(segments)
	for i := 3; i < len(segments); i += 2 {
		var err error
		if hidden[i], err = p(segments[1], strings.Join(segments[:i+1], "/")); err != nil {
			return "", err
		}
	}
	return strings.Join(hidden, "/"), nil
}

// Limits of what is remembered of consents.
const (
	consentOwners = 50_000
	// consentTime is how long a withdrawn consent may still count elsewhere.
	consentTime = time.Second
)

// Consents knows who lets pipelines read their insights, now.
type Consents struct {
	generations *consume.Generations
	cache       *expirable.LRU[string, bool]
}

// NewConsents reads consents out of projections.
func NewConsents(generations *consume.Generations) *Consents {
	return &Consents{generations: generations, cache: expirable.NewLRU[string, bool](consentOwners, nil, consentTime)}
}

// Of tells for the owners of events whether they consent; those it does not
// remember it looks up together.
func (c *Consents) Of(ctx context.Context, events []*eventsv1.Event) (map[string]bool, error) {
	out := map[string]bool{}
	var missing []string
	for _, e := range events {
		owner := e.GetOwner()
		if _, ok := out[owner]; ok {
			continue
		}
		consent, ok := c.cache.Get(owner)
		if out[owner] = consent; !ok {
			missing = append(missing, owner)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	found, err := c.generations.Projections(ctx, missing...)
	if err != nil {
		return nil, err
	}
	for _, owner := range missing {
		out[owner] = found[owner].GetShareWithPipeline()
		c.cache.Add(owner, out[owner])
	}
	return out, nil
}
