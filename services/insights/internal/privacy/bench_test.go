package privacy

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkYears judges a report about 12 weeks in ten groups every week for years, and
// measures the last of them: what was released before is held against it, and, where some
// groups are alike, what was withheld.
func BenchmarkYears(b *testing.B) {
	for _, x := range []struct {
		years int32
		alike bool
	}{{1, false}, {3, false}, {3, true}} {
		years := x.years
		b.Run(fmt.Sprintf("years=%d/alike=%v", years, x.alike), func(b *testing.B) {
			c := newCompany(2000, 52*years+20)
			c.alike = x.alike
			l, shown, asked := NewLedger(five), 0, 0
			for week := range 52*years - 1 {
				d := l.Draft()
				s, n := c.ask(d, week)
				shown, asked = shown+s, asked+n
				d.Keep()
			}
			for b.Loop() {
				c.ask(l.Draft(), 52*years-1)
			}
			b.ReportMetric(float64(shown)/float64(asked), "shown")
		})
	}
}

// company is people with the weeks in which they had setbacks, in ten groups, of which
// some may be alike.
type company struct {
	setbacks [][]int32
	alike    bool
}

const companyGroups = 10

func newCompany(people int, weeks int32) *company {
	r := rand.New(rand.NewPCG(1, 2))
	c := &company{setbacks: make([][]int32, people)}
	for week := range weeks {
		for p := range people {
			if r.IntN(12) == 0 {
				c.setbacks[p] = append(c.setbacks[p], week)
			}
		}
	}
	return c
}

// ask judges a report of the 12 weeks from one on.
func (c *company) ask(d *Draft, first int32) (shown, asked int) {
	key := Key{Family: "kinds"}
	ordinals, masks := make([][]uint32, companyGroups+1), make([][]uint64, companyGroups+1)
	for p, weeks := range c.setbacks {
		mask := uint64(0)
		for _, week := range weeks {
			if week >= first && week < first+12 {
				mask |= 1 << (week - first)
			}
		}
		for _, g := range []int{0, 1 + p%companyGroups} {
			if mask != 0 {
				ordinals[g], masks[g] = append(ordinals[g], uint32(p)), append(masks[g], mask)
			}
		}
	}
	all := make([]*Candidate, len(ordinals))
	for g := range all {
		all[g] = &Candidate{Set: gathered(d.Windows(key), first, ordinals[g], masks[g]), Question: int64(first)*100 + int64(g), Alike: c.alike && g%4 == 3}
		for i, o := range ordinals[g] {
			all[g].Digest = AddDigests(all[g].Digest, rand.New(rand.NewPCG(uint64(o), masks[g][i]<<first)).Uint64())
		}
	}
	d.Judge(Ask{Key: key, Minimum: 5, Universe: all[0].Set, Total: all[0], Groups: all[1:]})
	for _, x := range all {
		if x.Refused == Shown {
			shown++
		}
	}
	return shown, len(all)
}
