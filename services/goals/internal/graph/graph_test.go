package graph

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestCircle(t *testing.T) {
	for _, c := range []struct {
		edges Edges
		want  []string
	}{
		{nil, nil},
		{Edges{"b": {"a"}, "c": {"a", "b"}, "d": {"b", "c"}}, nil},
		{Edges{"a": {"a"}}, []string{"a"}},
		{Edges{"x": {"b"}, "b": {"c", "d"}, "d": {"e"}, "e": {"b"}}, []string{"b", "d", "e"}},
	} {
		if got := c.edges.Circle(); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.edges, got, c.want)
		}
	}
}

func TestOrder(t *testing.T) {
	e := Edges{"a": {"d"}, "d": {"c", "gone"}, "b": {"a"}}
	if got := e.Order([]string{"a", "b", "c", "d", "e"}); !slices.Equal(got, []string{"c", "d", "a", "b", "e"}) {
		t.Errorf("%v", got)
	}
	if got := (Edges{"a": {"b"}, "b": {"a"}}).Order([]string{"a", "b"}); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("a circle: %v", got)
	}
}

func TestDependents(t *testing.T) {
	e := Edges{"b": {"a"}, "c": {"b"}, "d": {"a", "c"}}
	got := e.Dependents(map[string]bool{"a": true, "b": true, "d": true})
	if got["a"] != 2 || got["b"] != 1 || got["c"] != 1 || got["d"] != 0 {
		t.Errorf("%v", got)
	}
}

// TestProperties: there is a circle exactly when something reaches itself, and
// without one nothing comes before what it requires.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "items")
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("i%d", i)
		}
		e := Edges{}
		for range rapid.IntRange(0, 12).Draw(t, "edges") {
			from := rapid.SampledFrom(names).Draw(t, "from")
			e[from] = append(e[from], rapid.SampledFrom(names).Draw(t, "to"))
		}
		circle := e.Circle()
		around := slices.ContainsFunc(names, func(name string) bool { return e.Reaches(name, name) })
		if (circle != nil) != around {
			t.Fatalf("%v: the circle %v, something reaches itself: %v", e, circle, around)
		}
		for i, item := range circle {
			if !slices.Contains(e[item], circle[(i+1)%len(circle)]) {
				t.Fatalf("%v is no circle of %v", circle, e)
			}
		}
		ordered := e.Order(names)
		if len(ordered) != n {
			t.Fatalf("%v of %v", ordered, names)
		}
		if circle != nil {
			return
		}
		for item, required := range e {
			for _, r := range required {
				if slices.Index(ordered, r) > slices.Index(ordered, item) {
					t.Fatalf("%s comes before %s, which it requires: %v", item, r, ordered)
				}
			}
		}
	})
}
