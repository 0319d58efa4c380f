package privacy

import (
	"cmp"
	"slices"
)

// vector is an equation over atoms, in their order: one that is not in it has the
// coefficient 0. It is never changed.
type vector []term

// term is the coefficient of an atom, which is not 0.
type term struct {
	atom int
	c    uint64
}

// of is the coefficient of an atom.
func (v vector) of(atom int) uint64 {
	at, ok := slices.BinarySearchFunc(v, atom, func(t term, atom int) int { return cmp.Compare(t.atom, atom) })
	if !ok {
		return 0
	}
	return v[at].c
}

// times is a multiple, by a factor that is not 0.
func (v vector) times(factor uint64) vector {
	out := make(vector, len(v))
	for i, t := range v {
		out[i] = term{t.atom, mul(t.c, factor)}
	}
	return out
}

// less takes a multiple of another vector away.
func (v vector) less(factor uint64, w vector) vector {
	if factor == 0 {
		return v
	}
	out := make(vector, 0, len(v)+len(w))
	for len(v) > 0 || len(w) > 0 {
		switch {
		case len(w) == 0 || len(v) > 0 && v[0].atom < w[0].atom:
			out, v = append(out, v[0]), v[1:]
		case len(v) == 0 || w[0].atom < v[0].atom:
			out, w = append(out, term{w[0].atom, sub(0, mul(factor, w[0].c))}), w[1:]
		default:
			if c := sub(v[0].c, mul(factor, w[0].c)); c != 0 {
				out = append(out, term{v[0].atom, c})
			}
			v, w = v[1:], w[1:]
		}
	}
	return out
}

// refined is the same over atoms that were cut: parts are those that were cut off, in
// order, each from an atom.
func (v vector) refined(parts map[int]int) vector {
	var added vector
	for _, t := range v {
		if part, ok := parts[t.atom]; ok {
			added = append(added, term{part, t.c})
		}
	}
	if len(added) == 0 {
		return v
	}
	slices.SortFunc(added, func(a, b term) int { return cmp.Compare(a.atom, b.atom) })
	return append(slices.Clip(v), added...) // parts come after all atoms
}
