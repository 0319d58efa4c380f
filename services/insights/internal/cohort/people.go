package cohort

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/measure"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// maxGroups is how many groups a report may have.
const maxGroups = 100

// Where somebody stands who is in no group of the report.
const (
	outside  = -1 // the filter leaves them out
	unlisted = -2 // of a group that is too small to be told of
)

// population is the people of a tenant as a report sees them. A row is a person's
// place in people.
type population struct {
	*question
	people   []*facts.Person
	ordinals []uint32 // by row
	weeks    int      // of the window
	// consented are the weeks in which each may be counted, known those in which they
	// may be or have an affiliation, by row: bit i is week window.First+i.
	consented, known []uint64
	// stands is in which group each is on the last day of each week, by row and week.
	stands []int16
	// moves tells of each whether they stand in other places in other weeks.
	moves  []bool
	groups []map[string]string
	look   measure.Look
	spare  sync.Pool // of *windows
}

// gather finds out about people what a report may have to know, in the memory of what was
// gathered for another one.
func (p *population) gather(q *question, people []*facts.Person, ordinals []uint32) error {
	n := len(people)
	p.question, p.people, p.ordinals, p.weeks, p.groups = q, people, ordinals, int(q.window.Last-q.window.First)+1, nil
	p.consented, p.known = measure.Zeros(p.consented, n), measure.Zeros(p.known, n)
	p.stands, p.moves = measure.Zeros(p.stands, n*p.weeks), measure.Zeros(p.moves, n)
	p.look.Begin(people, q.window, q.asOf)
	var read sync.WaitGroup
	read.Go(p.read)
	defer read.Wait()
	sorting := newSorting(q)
	for row, person := range people {
		p.place(row, person, sorting)
	}
	return p.list(sorting)
}

// forget drops what is not this report's own.
func (p *population) forget() {
	p.question, p.people, p.ordinals, p.groups = nil, nil, nil, nil
	p.look.Begin(nil, measure.Window{}, 0)
}

// read goes through what people did.
func (p *population) read() {
	each(p.look.Stretches(), func(_ int, rows [2]int) { p.look.Read(rows) })
}

// place finds where a person stands in each week, and whether they may be counted.
func (p *population) place(row int, person *facts.Person, s *sorting) {
	last := len(person.Affiliations) - 1
	steady := last < 0 || person.Affiliations[last].From <= facts.Monday(p.window.First)
	at := s.group(person.At(lastDay(p.window.First)))
	for i := range p.weeks {
		week := p.window.First + int32(i)
		if person.Consented(week) {
			p.consented[row] |= 1 << i
		}
		if !steady {
			at = s.group(person.At(lastDay(week)))
		}
		if last >= 0 && person.Affiliations[0].From <= lastDay(week) {
			p.known[row] |= 1 << i
		}
		p.stands[row*p.weeks+i] = at
		p.moves[row] = p.moves[row] || at != p.stands[row*p.weeks]
	}
	p.known[row] |= p.consented[row]
}

func lastDay(week int32) int32 { return facts.Monday(week+1) - 1 }

// list leaves the groups out that are never of the minimum of people, whether they
// may be counted or not: that such a group is there at all is not told.
func (p *population) list(s *sorting) error {
	sizes := make([]int, len(s.groups)*p.weeks)
	for row := range p.people {
		for i := range p.weeks {
			if at := p.stands[row*p.weeks+i]; at >= 0 && p.known[row]&(1<<i) != 0 {
				sizes[int(at)*p.weeks+i]++
			}
		}
	}
	least := p.minimum
	if p.crosses {
		least = p.strict
	}
	var listed []int
	for g := range s.groups {
		if slices.Max(sizes[g*p.weeks:(g+1)*p.weeks]) >= least {
			listed = append(listed, g)
		}
	}
	if len(p.groupBy) == 0 {
		listed = nil
	}
	if len(listed) > maxGroups {
		return fault.Invalid("cohort_report.group_by", "TOO_MANY_GROUPS", "must make at most %d groups, and makes %d", maxGroups, len(listed))
	}
	slices.SortFunc(listed, func(a, b int) int {
		return cmp.Or(slices.Compare(s.values[a], s.values[b]), cmp.Compare(a, b))
	})
	place := slices.Repeat([]int16{unlisted}, len(s.groups))
	for i, g := range listed {
		place[g] = int16(i)
		p.groups = append(p.groups, s.groups[g])
	}
	for i, at := range p.stands {
		if at >= 0 {
			p.stands[i] = place[at]
		}
	}
	return nil
}

// sorting sorts attributes into groups. Most people share theirs with others, down to
// the very map.
type sorting struct {
	*question
	known  map[uintptr]int16
	byText map[string]int16
	groups []map[string]string
	values [][]string
}

func newSorting(q *question) *sorting {
	return &sorting{question: q, known: map[uintptr]int16{}, byText: map[string]int16{}}
}

// group of somebody with these attributes; outside: the filter leaves them out.
func (s *sorting) group(attributes map[string]string) int16 {
	key := reflect.ValueOf(attributes).Pointer()
	at, ok := s.known[key]
	if !ok {
		at = s.sort(attributes)
		s.known[key] = at
	}
	return at
}

func (s *sorting) sort(attributes map[string]string) int16 {
	if s.match != nil && !s.match((&eventsv1.AffiliationFacts{Attributes: attributes}).ProtoReflect()) {
		return outside
	}
	group, values := map[string]string{}, make([]string, len(s.groupBy))
	for i, key := range s.groupBy {
		values[i] = attributes[key]
		group[key] = values[i]
	}
	text := fmt.Sprintf("%q", values)
	at, ok := s.byText[text]
	if !ok && len(s.groups) < maxInt16 {
		at = int16(len(s.groups))
		s.byText[text] = at
		s.groups, s.values = append(s.groups, maps.Clone(group)), append(s.values, values)
	} else if !ok {
		return unlisted // of so many groups, none has to be told of
	}
	return at
}

const maxInt16 = 1<<15 - 1
