package cohort_test

import "math/rand/v2"

// solver is an attacker's linear algebra: what can be found out from sums over
// unknowns, each of which is somebody's. It shares nothing with the code it attacks:
// its columns are single unknowns, and its prime is another.
type solver struct {
	columns map[string]int
	owner   []int
	rows    [][]int // the unknowns in each sum
	seen    map[string]bool
}

func newSolver() *solver { return &solver{columns: map[string]int{}, seen: map[string]bool{}} }

// unknown gives the column of a person's unknown.
func (s *solver) unknown(person int, what string) int {
	at, ok := s.columns[what]
	if !ok {
		at = len(s.owner)
		s.columns[what] = at
		s.owner = append(s.owner, person)
	}
	return at
}

// learn takes a sum in; the same sum twice is one.
func (s *solver) learn(key string, unknowns []int) {
	if !s.seen[key] {
		s.seen[key] = true
		s.rows = append(s.rows, unknowns)
	}
}

const modulus = 1_000_000_007

// fewest reduces the sums, with columns in several random orders, and gives the least
// number of people that any combination it meets is about.
func (s *solver) fewest(r *rand.Rand, orders int) int {
	least := len(s.owner) + 1
	for range orders {
		for _, row := range s.reduced(r.Perm(len(s.owner))) {
			people := map[int]bool{}
			for at, c := range row {
				if c != 0 {
					people[s.owner[at]] = true
				}
			}
			least = min(least, len(people))
		}
	}
	return least
}

func (s *solver) reduced(order []int) [][]int64 {
	m := make([][]int64, len(s.rows))
	for i, row := range s.rows {
		m[i] = make([]int64, len(s.owner))
		for _, at := range row {
			m[i][at] = 1
		}
	}
	rank := 0
	for _, col := range order {
		at := rank
		for at < len(m) && m[at][col] == 0 {
			at++
		}
		if at == len(m) {
			continue
		}
		m[rank], m[at] = m[at], m[rank]
		scale := power(m[rank][col], modulus-2)
		for j := range m[rank] {
			m[rank][j] = m[rank][j] * scale % modulus
		}
		for i := range m {
			if f := m[i][col]; i != rank && f != 0 {
				for j, c := range m[rank] {
					if c != 0 {
						m[i][j] = (m[i][j] + (modulus-f)*c) % modulus
					}
				}
			}
		}
		if rank++; rank == len(m) {
			break
		}
	}
	return m[:rank]
}

func power(a, e int64) int64 {
	out := int64(1)
	for ; e > 0; e >>= 1 {
		if e&1 == 1 {
			out = out * a % modulus
		}
		a = a * a % modulus
	}
	return out
}
