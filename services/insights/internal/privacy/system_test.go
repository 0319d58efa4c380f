package privacy

import (
	"math/big"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

func TestField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64Range(1, prime-1).Draw(t, "a"), rapid.Uint64Range(0, prime-1).Draw(t, "b")
		p := new(big.Int).SetUint64(prime)
		want := new(big.Int).Mul(new(big.Int).SetUint64(a), new(big.Int).SetUint64(b))
		if got := mul(a, b); got != want.Mod(want, p).Uint64() {
			t.Fatalf("%d * %d = %d", a, b, got)
		}
		if mul(a, inverse(a)) != 1 || sub(add(a, b), b) != a || add(sub(b, a), a) != b {
			t.Fatal("not a field")
		}
	})
}

func of(ordinals ...uint32) Set { return People(roaring.BitmapOf(ordinals...)) }

// row gives a set as coefficients of people.
func indicator(s Set, people int) []int64 {
	out := make([]int64, people)
	for p := range people {
		if s.Ordinals().Contains(uint32(p)) {
			out[p] = 1
		}
	}
	return out
}

// TestSystemTellsWhatCanBeFoundOut: whatever sets are released, Tells is true when
// some combination is about fewer than the minimum; Spans is exact.
func TestSystemTellsWhatCanBeFoundOut(t *testing.T) {
	const people, minimum = 9, 3
	owner := []int{0, 1, 2, 3, 4, 5, 6, 7, 8}
	checked, careful := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		y := NewSystem(minimum)
		var rows [][]int64
		for range rapid.IntRange(1, 6).Draw(t, "sets") {
			s := of(rapid.SliceOfNDistinct(rapid.Uint32Range(0, people-1), minimum, people, rapid.ID).Draw(t, "set")...)
			next, fresh, _ := y.With(s, 0)
			more := append(slices.Clip(rows), indicator(s, people))
			if fresh != (rank(more) > rank(rows)) || fresh == y.Spans(s) {
				t.Fatalf("fresh is %v", fresh)
			}
			want := tellsOfFew(more, owner, people, minimum)
			checked++
			got := next.Tells()
			if want && !got {
				t.Fatalf("%v are told about, unnoticed", more)
			} else if got && !want {
				careful++
			}
			if !got {
				y, rows = next, more
			}
		}
	})
	if careful*10 > checked {
		t.Errorf("%d of %d were refused without need", careful, checked)
	}
}

// TestAtomIsKnownWhenItsUnitVectorIsARow holds what System says about single atoms
// against elimination.
func TestAtomIsKnownWhenItsUnitVectorIsARow(t *testing.T) {
	const people = 8
	rapid.Check(t, func(t *rapid.T) {
		y := NewSystem(1)
		var rows [][]int64
		for range rapid.IntRange(1, 6).Draw(t, "sets") {
			s := of(rapid.SliceOfNDistinct(rapid.Uint32Range(0, people-1), 1, people, rapid.ID).Draw(t, "set")...)
			y, _, _ = y.With(s, 0)
			rows = append(rows, indicator(s, people))
		}
		for i, a := range y.atoms {
			unit := false
			for _, r := range y.rows {
				unit = unit || len(r.vector) == 1 && r.of(i) != 0
			}
			if known := rank(append(rows, indicator(a.set, people))) == rank(rows); known != unit {
				t.Fatalf("atom %d: known %v, a row %v", i, known, unit)
			}
		}
	})
}
