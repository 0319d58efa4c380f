package stats

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > within {
		t.Errorf("%s: %v, published %v", what, got, want)
	}
}

// TestEWMA is the worked example of NIST/SEMATECH, e-Handbook of Statistical
// Methods, 6.3.2.4: weight 0.3, from 50.
func TestEWMA(t *testing.T) {
	x := []float64{52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5, 49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1}
	want := []float64{50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33, 50.11, 49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99}
	e := EWMA{}.Add(50, 0.3)
	for i, v := range x {
		e = e.Add(v, 0.3)
		near(t, "level", e.Level, want[i], 0.00501)
	}
}

// TestEWMADefinition: level and variance are those of the values, each weighted
// by what Finch's recurrence stands for.
func TestEWMADefinition(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := rapid.SliceOfN(rapid.Float64Range(-5, 5), 1, 40).Draw(rt, "x")
		weight := rapid.Float64Range(0.05, 0.95).Draw(rt, "weight")
		var e EWMA
		weights := make([]float64, len(x))
		for i, v := range x {
			e = e.Add(v, weight)
			weights[i] = weight * math.Pow(1-weight, float64(len(x)-1-i))
		}
		weights[0] /= weight
		mean := stat.Mean(x, weights)
		variance := stat.MomentAbout(2, x, mean, weights)
		if math.Abs(e.Level-mean) > 1e-9 || math.Abs(e.Variance-variance) > 1e-9 || int(e.N) != len(x) {
			rt.Fatalf("%+v, want %v and %v", e, mean, variance)
		}
	})
}

// TestTheilSen is the example of Sen 1968; the interval is the one that follows
// from his data at his level of 93 % (26/7 to 35/8), as of Therneau's package
// deming for R, which corrects slips in the printed slopes.
func TestTheilSen(t *testing.T) {
	slope, interval, ok := TheilSen([]float64{1, 2, 3, 4, 10, 12, 18}, []float64{9, 15, 19, 20, 45, 55, 78}, 0.93)
	if !ok {
		t.Fatal("there is no slope")
	}
	near(t, "slope", slope, 4, 1e-12)
	near(t, "low", interval.Low, 26.0/7, 1e-12)
	near(t, "high", interval.High, 35.0/8, 1e-12)
	if _, _, ok := TheilSen([]float64{3, 3}, []float64{1, 2}, Level); ok {
		t.Error("points above each other have a slope")
	}
}

// TestTheilSenProperties: of a line it is the line's slope, whatever a few points
// do; it moves with the unit, and lies in its interval.
func TestTheilSenProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(12, 40).Draw(rt, "n")
		b := float64(rapid.IntRange(-9, 9).Draw(rt, "slope"))
		x, y := make([]float64, n), make([]float64, n)
		for i := range n {
			x[i], y[i] = float64(i), b*float64(i)+1
		}
		y[rapid.IntRange(0, n-1).Draw(rt, "outlier")] += float64(rapid.IntRange(-1000, 1000).Draw(rt, "by"))
		slope, in, ok := TheilSen(x, y, Level)
		if !ok || math.Abs(slope-b) > 1e-9 || in.Low > slope || slope > in.High {
			rt.Fatalf("%v in %v, want %v", slope, in, b)
		}
	})
}

// nile is the annual flow of the Nile at Aswan in 10^8 m³, 1871 to 1970 (Cobb
// 1978, Biometrika 65, 243-251).
var nile = []float64{
	1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958, 1140,
	1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020, 1050, 969,
	831, 726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845, 864, 862, 698, 845, 744, 796, 1040, 759,
	781, 865, 845, 944, 984, 897, 822, 1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890,
	744, 749, 838, 1050, 918, 986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
}

// TestChangePointsNile: Cobb 1978 finds one change of the mean, after 1898, from
// about 1098 to about 850.
func TestChangePointsNile(t *testing.T) {
	for _, shortest := range []int{1, 5, 20} {
		if at := ChangePoints(nile, shortest); !slices.Equal(at, []int{28}) || 1871+at[0]-1 != 1898 {
			t.Fatalf("with pieces of at least %d: changes at %v", shortest, at)
		}
	}
	near(t, "mean to 1898", stat.Mean(nile[:28], nil), 1097.75, 1e-9)
	near(t, "mean from 1899", stat.Mean(nile[28:], nil), 849.97, 0.005)
}

// TestChangePointsAreBest: no other way to cut costs less.
func TestChangePointsAreBest(t *testing.T) {
	total := func(x []float64, cuts []int) float64 {
		c, from := Penalty(x)*float64(len(cuts)), 0
		for _, to := range append(slices.Clone(cuts), len(x)) {
			c += stat.MomentAbout(2, x[from:to], stat.Mean(x[from:to], nil), nil) * float64(to-from)
			from = to
		}
		return c
	}
	rapid.Check(t, func(rt *rapid.T) {
		x := rapid.SliceOfN(rapid.Map(rapid.IntRange(-5, 5), func(v int) float64 { return float64(v) }), 2, 11).Draw(rt, "x")
		shortest := rapid.IntRange(1, 3).Draw(rt, "shortest")
		got := total(x, ChangePoints(x, shortest))
		for set := range 1 << (len(x) - 1) {
			var cuts []int
			from, fits := 0, true
			for i := 1; i <= len(x); i++ {
				if i < len(x) && set&(1<<(i-1)) == 0 {
					continue
				}
				fits = fits && i-from >= shortest
				if from = i; i < len(x) {
					cuts = append(cuts, i)
				}
			}
			if fits && total(x, cuts) < got-1e-9 {
				rt.Fatalf("cuts at %v cost %v, less than %v", cuts, total(x, cuts), got)
			}
		}
	})
	if at := ChangePoints(make([]float64, 50), 5); at != nil {
		t.Errorf("what never moves changes at %v", at)
	}
}

// sleep is the hours of sleep that two drugs added for ten patients (Student 1908;
// the data set "sleep" of R).
var sleep = [2][]float64{{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}, {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}}

// TestDifferences: the intervals that R's t.test prints for this data set, once as
// two samples and once as pairs.
func TestDifferences(t *testing.T) {
	d, in, ok := Difference(sleep[0], sleep[1], 0.95)
	if !ok {
		t.Fatal("there is no difference")
	}
	near(t, "difference", d, -1.58, 1e-9)
	near(t, "low", in.Low, -3.3654832, 1e-6)
	near(t, "high", in.High, 0.2054832, 1e-6)
	pairs := make([]float64, 10)
	for i := range pairs {
		pairs[i] = sleep[0][i] - sleep[1][i]
	}
	m, deviation, in, ok := Mean(pairs, 0.95)
	if !ok {
		t.Fatal("there is no mean")
	}
	near(t, "mean of pairs", m, -1.58, 1e-9)
	near(t, "deviation of pairs", deviation, 1.2299955, 1e-6)
	near(t, "low of pairs", in.Low, -2.4598858, 1e-6)
	near(t, "high of pairs", in.High, -0.7001142, 1e-6)
	for _, c := range [][2][]float64{{{1}, {1, 2}}, {{1, 2}, nil}, {{3, 3}, {4, 4}}} {
		if _, _, ok := Difference(c[0], c[1], Level); ok {
			t.Errorf("%v differ", c)
		}
	}
	if _, _, _, ok := Mean([]float64{2, 2, 2}, Level); ok {
		t.Error("what does not vary has an interval")
	}
}

// TestWilson is table I of Newcombe 1998, Statistics in Medicine 17, 857-872
// (score method without continuity correction).
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		count, n  int
		low, high float64
	}{{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}} {
		in := Wilson(c.count, c.n, 0.95)
		near(t, "low", in.Low, c.low, 0.00005)
		near(t, "high", in.High, c.high, 0.00005)
	}
}
