package words

import (
	"slices"
	"testing"
)

func TestOf(t *testing.T) {
	if got := Of("I’m **late** — again, in Zürich at 9:30!"); !slices.Equal(got, []string{"i'm", "late", "again", "in", "zürich", "at", "9", "30"}) {
		t.Errorf("%q", got)
	}
	if got := Of(" … \n"); len(got) != 0 {
		t.Errorf("%q", got)
	}
}
