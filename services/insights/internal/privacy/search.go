package privacy

import "slices"

// maxLooked is how many combinations a search looks at; of a system that is more
// entangled, it is taken for granted that it tells about few.
const maxLooked = 20_000

// search looks for a combination of rows that is about few people.
type search struct {
	*System
	// excluded rows take no part.
	excluded []bool
	looked   int
}

// few tells whether a combination in which all taken rows have a part, and no excluded
// one, can be about fewer people than the minimum, while it is not 0 at the kept atoms.
// It follows one atom after the other at which only one taken row is not 0: either
// another row takes part and makes it 0, or the atom is kept. Where several are not 0 it
// is taken for granted that they can cancel out, which is to err on the safe side; for
// a single row nothing is.
func (s *search) few(taken, kept []int) bool {
	if s.looked++; s.looked > maxLooked {
		return true
	}
	if !s.fewer(taken, kept) {
		return false
	}
	at := s.alone(taken, kept)
	if at < 0 {
		return true
	}
	var barred []int
	for k, r := range s.rows {
		if r.of(at) == 0 || s.excluded[k] || slices.Contains(taken, k) || s.atoms[r.pivot].large {
			continue
		}
		if s.few(append(slices.Clip(taken), k), kept) {
			return true
		}
		s.excluded[k] = true
		barred = append(barred, k)
	}
	found := s.few(taken, append(slices.Clip(kept), at))
	for _, k := range barred {
		s.excluded[k] = false
	}
	return found
}

// alone is an atom, not kept, at which only one of the taken rows is not 0, and which
// is not its pivot; -1: there is none.
func (s *search) alone(taken, kept []int) int {
	for _, k := range taken {
		for _, t := range s.rows[k].vector {
			if t.atom == s.rows[k].pivot || slices.Contains(kept, t.atom) {
				continue
			}
			if !slices.ContainsFunc(taken, func(other int) bool { return other != k && s.rows[other].of(t.atom) != 0 }) {
				return t.atom
			}
		}
	}
	return -1
}

// fewer tells whether the people of the pivots of rows, and of the kept atoms, are
// fewer than the minimum.
func (s *search) fewer(taken, kept []int) bool {
	people := map[uint32]struct{}{}
	full := func(at int) bool {
		a := s.atoms[at]
		for _, p := range a.people {
			people[p] = struct{}{}
		}
		return a.large || len(people) >= s.minimum
	}
	for _, k := range taken {
		if full(s.rows[k].pivot) {
			return false
		}
	}
	return !slices.ContainsFunc(kept, full)
}
