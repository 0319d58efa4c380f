package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// nothing is a filter that no insight fits.
const nothing = "n > 1000000000"

// bookmarkable: a token stands for one place, in every format; so does a time. Tokens
// come on a stream where nothing happens too, and are good for what they were given
// for only.
func bookmarkable(ctx context.Context, e *evidence) (string, error) {
	for _, f := range Formats {
		got, err := e.suite.read(ctx, f, Place{Token: e.whole[Formats[0]].last()})
		switch {
		case err != nil:
			return "", fmt.Errorf("coming back by %s with a token from %s: %w", f, Formats[0], err)
		case len(got.insights()) > 0:
			return "", fmt.Errorf("%d insights came by %s after the last token", len(got.insights()), f)
		}
	}
	if err := e.exchange(ctx); err != nil {
		return "", err
	}
	if err := e.fromTime(ctx); err != nil {
		return "", err
	}
	if err := e.heartbeats(ctx); err != nil {
		return "", err
	}
	_, err := e.suite.read(ctx, Formats[0], Place{Token: e.whole[Formats[0]].last(), Filter: nothing})
	switch {
	case err == nil:
		return "", errors.New("a token is taken for a stream that it was not given for")
	case !errors.Is(err, ErrRefused):
		return "", fmt.Errorf("coming with a token that was given for another stream: %w", err)
	}
	return fmt.Sprintf("tokens, and a time, stood for the same place in %d formats, and came while nothing happened", len(Formats)), nil
}

// exchange comes back in each format with a token of another.
func (e *evidence) exchange(ctx context.Context) error {
	for _, i := range e.tokens() {
		x := e.survivor.entries[i]
		other := Formats[(slices.Index(Formats, x.format)+1)%len(Formats)]
		mine, err := e.suite.read(ctx, x.format, Place{Token: x.Token})
		if err != nil {
			return fmt.Errorf("coming back by %s: %w", x.format, err)
		}
		theirs, err := e.suite.read(ctx, other, Place{Token: x.Token})
		if err != nil {
			return fmt.Errorf("coming back by %s with a token from %s: %w", other, x.format, err)
		}
		if !slices.Equal(names(mine.insights()), names(theirs.insights())) {
			return fmt.Errorf("a token from %s stands for another place by %s", x.format, other)
		}
	}
	return nil
}

// fromTime starts at the time of an insight in the middle of what was written.
func (e *evidence) fromTime(ctx context.Context) error {
	ours := map[string]bool{}
	for _, subject := range e.wanted {
		ours[subject] = true
	}
	all := only(e.whole[Formats[0]].insights(), ours)
	if len(all) == 0 {
		return errors.New("there is no insight to start from")
	}
	at := all[len(all)/2].GetTime().AsTime()
	got, err := e.suite.read(ctx, Formats[0], Place{Start: at.Format(time.RFC3339Nano)})
	if err != nil {
		return fmt.Errorf("starting at a time: %w", err)
	}
	came := map[string]bool{}
	for _, name := range names(got.insights()) {
		came[name] = true
	}
	for _, in := range all {
		if !in.GetTime().AsTime().Before(at) && !came[in.GetName()] {
			return errors.New("from a time on, an insight of a later time is missing")
		}
	}
	// Clocks of several machines differ a little: what is close to the time may come.
	if all[0].GetTime().AsTime().Before(at) && came[all[0].GetName()] {
		return errors.New("from a time on, all comes that was before it")
	}
	return nil
}

// only are the insights about some subjects.
func only(insights []*insightsv1.Insight, about map[string]bool) []*insightsv1.Insight {
	return slices.DeleteFunc(slices.Clone(insights), func(in *insightsv1.Insight) bool {
		return len(in.GetSubjects()) == 0 || !about[in.GetSubjects()[0]]
	})
}

// heartbeats waits on a stream where nothing happens for two tokens after the end of
// history, and comes back with the last.
func (e *evidence) heartbeats(ctx context.Context) error {
	ctx, heard, stop := e.suite.impatient(ctx)
	defer stop()
	stream, err := e.suite.System.Open(ctx, Formats[0], Place{Start: "LATEST", Filter: nothing})
	if err != nil {
		return fmt.Errorf("opening a stream where nothing happens: %w", err)
	}
	defer stream.Close()
	token, end := "", false
	for beats := 0; beats < 2; {
		frame, err := stream.Next()
		if err != nil {
			return fmt.Errorf("waiting for tokens on a stream where nothing happens: %w", why(ctx, err))
		}
		if heard(); end && frame.Token != "" {
			token = frame.Token
			beats++
		}
		end = end || frame.HistoryEnd
	}
	if _, err := e.suite.read(ctx, Formats[0], Place{Token: token, Filter: nothing}); err != nil {
		return fmt.Errorf("coming back to a stream where nothing happens: %w", err)
	}
	return nil
}

// pseudonymous: a pipeline gets the same insights in the same order, and no name that
// a person has or gave.
func pseudonymous(ctx context.Context, e *evidence) (string, error) {
	if e.tenant == "" {
		return "", ErrNoPipeline
	}
	log, err := e.suite.readWith(ctx, func(ctx context.Context) (Stream, error) {
		return e.suite.System.OpenTenant(ctx, Place{Token: e.tenant})
	})
	if err != nil {
		return "", fmt.Errorf("reading the tenant's stream: %w", err)
	}
	ours := map[string]bool{}
	for _, subject := range e.wanted {
		ours[subject] = true
	}
	want := only(e.whole[Formats[0]].insights(), ours)
	people := map[string]bool{}
	for _, in := range want {
		people[personOf(in)] = true
	}
	gone, err := tombstones(log)
	if err != nil {
		return "", err
	}
	byPerson := map[string][]*insightsv1.Insight{}
	for _, in := range log.insights() {
		named := append([]string{in.GetName()}, in.GetSubjects()...)
		if in.GetCorrects() != "" {
			named = append(named, in.GetCorrects())
		}
		for _, name := range named {
			segments := strings.Split(name, "/")
			if len(segments) < 4 || people[segments[3]] || strings.Contains(name, e.suite.Run) {
				return "", errors.New("a pipeline gets a real name")
			}
		}
		byPerson[personOf(in)] = append(byPerson[personOf(in)], in)
	}
	for _, got := range byPerson {
		if contains(got, want) {
			return fmt.Sprintf("a pipeline got the %d insights in order, without a real name; it sees people: %d, tombstones: %d", len(want), len(byPerson), gone), nil
		}
	}
	return "", fmt.Errorf("of the %d people that a pipeline sees, nobody has the %d insights in that order", len(byPerson), len(want))
}

// tombstones counts those of a log: after one, nothing comes of that person.
func tombstones(log *clientLog) (int, error) {
	gone := map[string]bool{}
	for _, x := range log.entries {
		if x.Gone != "" {
			gone[x.Gone] = true
		}
		if x.Insight != nil && gone[strings.Join(strings.Split(x.Insight.GetName(), "/")[:4], "/")] {
			return 0, errors.New("an insight came after the tombstone of its person")
		}
	}
	return len(gone), nil
}

// personOf is the id of the person, or the pseudonym.
func personOf(in *insightsv1.Insight) string {
	if segments := strings.Split(in.GetName(), "/"); len(segments) > 3 {
		return segments[3]
	}
	return ""
}

// contains tells whether insights, apart from names, are among others, in order.
func contains(all, want []*insightsv1.Insight) bool {
	for _, in := range all {
		if len(want) > 0 && sameButNames(in, want[0]) {
			want = want[1:]
		}
	}
	return len(want) == 0
}

// sameButNames compares insights apart from names.
func sameButNames(a, b *insightsv1.Insight) bool {
	x, y := proto.CloneOf(a), proto.CloneOf(b)
	x.Name, y.Name, x.Subjects, y.Subjects = "", "", nil, nil
	return len(a.GetSubjects()) == len(b.GetSubjects()) && proto.Equal(x, y)
}
