package stream

import (
	"slices"
	"strings"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/keys"
)

// pseudonyms hide who names are about.
type pseudonyms keys.Pseudonymiser

// hide puts pseudonyms into every name of an insight.
func (p pseudonyms) hide(in *insightsv1.Insight) error {
	var err error
	if in.Name, err = p.name(in.GetName()); err != nil {
		return err
	}
	if in.GetCorrects() != "" {
		if in.Corrects, err = p.name(in.GetCorrects()); err != nil {
			return err
		}
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
func (p pseudonyms) name(name string) (string, error) {
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
