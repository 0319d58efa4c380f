package privacy

import "math/big"

// rank of a matrix, by fractions: an own way to tell what can be found out, which has
// nothing to do with atoms or primes.
func rank(rows [][]int64) int {
	m := make([][]*big.Rat, len(rows))
	for i, r := range rows {
		m[i] = make([]*big.Rat, len(r))
		for j, c := range r {
			m[i][j] = new(big.Rat).SetInt64(c)
		}
	}
	found := 0
	for col := 0; len(m) > 0 && col < len(m[0]) && found < len(m); col++ {
		at := found
		for at < len(m) && m[at][col].Sign() == 0 {
			at++
		}
		if at == len(m) {
			continue
		}
		m[found], m[at] = m[at], m[found]
		for i := found + 1; i < len(m); i++ {
			if m[i][col].Sign() == 0 {
				continue
			}
			f := new(big.Rat).Quo(m[i][col], m[found][col])
			for j := col; j < len(m[i]); j++ {
				m[i][j].Sub(m[i][j], new(big.Rat).Mul(f, m[found][j]))
			}
		}
		found++
	}
	return found
}

// told tells whether a combination of rows is about some of the people of few, and
// nobody else: then leaving them out loses an equation. People are columns, each of
// the columns belongs to owner[column].
func told(rows [][]int64, owner []int, few map[int]bool) bool {
	out := make([][]int64, len(rows))
	for i, r := range rows {
		for j, c := range r {
			if !few[owner[j]] {
				out[i] = append(out[i], c)
			}
		}
	}
	return rank(out) < rank(rows)
}

// tellsOfFew tries all groups of fewer than minimum people.
func tellsOfFew(rows [][]int64, owner []int, people, minimum int) bool {
	few := map[int]bool{}
	var try func(from int) bool
	try = func(from int) bool {
		if len(few) == minimum-1 || from == people {
			return len(few) > 0 && told(rows, owner, few)
		}
		for p := from; p < people; p++ {
			few[p] = true
			if try(p + 1) {
				return true
			}
			delete(few, p)
		}
		return len(few) > 0 && told(rows, owner, few)
	}
	return try(0)
}
