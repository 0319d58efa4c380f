package stats

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// durations reads them as books print them: 6+ had not ended by 6.
func durations(t testing.TB, text string) Durations {
	t.Helper()
	var d Durations
	for each := range strings.FieldsSeq(text) {
		days, err := strconv.Atoi(strings.TrimSuffix(each, "+"))
		if err != nil {
			t.Fatal(err)
		}
		d.Add(int32(days), !strings.HasSuffix(each, "+"))
	}
	return d
}

// Remissions of leukemia in weeks, with 6-mercaptopurine and with placebo (Freireich
// et al. 1963, Blood 21, 699-716; Gehan 1965; table 1.1 of Cox and Oakes 1984,
// Analysis of Survival Data; Klein and Moeschberger 2003, section 1.2).
const (
	mercaptopurine = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
	placebo        = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"
)

// Remissions of acute myelogenous leukemia in weeks, with chemotherapy maintained
// and not (Embury et al. 1977; Miller 1981, Survival Analysis, p. 49; the data set
// "aml" of R).
const (
	maintained    = "9 13 13+ 18 23 28+ 31 34 45+ 48 161+"
	nonmaintained = "5 5 8 8 12 16+ 23 27 30 33 43 45"
)

// TestKaplanMeier: the curves with standard errors as Klein and Moeschberger 2003,
// table 4.1, print them for 6-mercaptopurine, and as R's survfit prints both data
// sets. The intervals for 6-mercaptopurine are those that programs print which use the
// log-log transformation, such as lifelines.
func TestKaplanMeier(t *testing.T) {
	type row struct {
		day, atRisk      int32
		open, error      float64
		lower, upper     float64
		intervalIsStated bool
	}
	for name, c := range map[string]struct {
		data string
		rows []row
	}{
		"6-mercaptopurine": {mercaptopurine, []row{
			{6, 21, 0.8571, 0.0764, 0.6197, 0.9516, true},
			{7, 17, 0.8067, 0.0869, 0.5631, 0.9228, true},
			{10, 15, 0.7529, 0.0963, 0.5032, 0.8894, true},
			{13, 12, 0.6902, 0.1068, 0.4316, 0.8491, true},
			{16, 11, 0.6275, 0.1141, 0.3675, 0.8049, true},
			{22, 7, 0.5378, 0.1282, 0.2678, 0.7468, true},
			{23, 6, 0.4482, 0.1346, 0.1881, 0.6801, true},
		}},
		"AML, maintained": {maintained, []row{
			{day: 9, atRisk: 11, open: 0.9091, error: 0.0867},
			{day: 13, atRisk: 10, open: 0.8182, error: 0.1163},
			{day: 18, atRisk: 8, open: 0.7159, error: 0.1397},
			{day: 23, atRisk: 7, open: 0.6136, error: 0.1526},
			{day: 31, atRisk: 5, open: 0.4909, error: 0.1642},
			{day: 34, atRisk: 4, open: 0.3682, error: 0.1627},
			{day: 48, atRisk: 2, open: 0.1841, error: 0.1535},
		}},
		"AML, not maintained": {nonmaintained, []row{
			{day: 5, atRisk: 12, open: 0.8333, error: 0.1076},
			{day: 8, atRisk: 10, open: 0.6667, error: 0.1361},
			{day: 12, atRisk: 8, open: 0.5833, error: 0.1423},
			{day: 23, atRisk: 6, open: 0.4861, error: 0.1481},
			{day: 27, atRisk: 5, open: 0.3889, error: 0.1470},
			{day: 30, atRisk: 4, open: 0.2917, error: 0.1387},
			{day: 33, atRisk: 3, open: 0.1944, error: 0.1219},
			{day: 43, atRisk: 2, open: 0.0972, error: 0.0919},
		}},
	} {
		curve := KaplanMeier(durations(t, c.data), 0.95)
		for _, want := range c.rows {
			got := curve.At(want.day)
			if got.AtRisk != want.atRisk {
				t.Errorf("%s: %d at risk on day %d, published %d", name, got.AtRisk, want.day, want.atRisk)
			}
			near(t, name+": open", got.Open, want.open, 0.00005)
			near(t, name+": standard error", got.Error, want.error, 0.00005)
			if want.intervalIsStated {
				near(t, name+": lower", got.Interval.Low, want.lower, 0.00005)
				near(t, name+": upper", got.Interval.High, want.upper, 0.00005)
			}
		}
	}
	last := KaplanMeier(durations(t, nonmaintained), 0.95).At(45)
	if last.Open != 0 || last.Error != 0 || last.Interval.Low != 0 || last.Interval.High > 1 {
		t.Errorf("once all ended: %+v", last)
	}
}

// TestMedian: the medians that R's survfit prints, 23, 8, 31 and 23 weeks. For
// 6-mercaptopurine programs print 13 to none by the log-log transformation; the
// other intervals are read off the curves' intervals by hand.
func TestMedian(t *testing.T) {
	for _, c := range []struct {
		data              string
		median, low, high int32
	}{{mercaptopurine, 23, 13, -1}, {placebo, 8, 4, 11}, {maintained, 31, 13, -1}, {nonmaintained, 23, 5, 33}, {"5+ 6+", -1, -1, -1}, {"1 2 3 4", 2, 1, -1}} {
		m := KaplanMeier(durations(t, c.data), 0.95).Median()
		for _, each := range []struct {
			what string
			got  *Step
			want int32
		}{{"median", m.At, c.median}, {"low", m.Low, c.low}, {"high", m.High, c.high}} {
			if day := dayOf(each.got); day != each.want {
				t.Errorf("%s: %s is %d, want %d", c.data, each.what, day, each.want)
			}
		}
	}
}

func dayOf(s *Step) int32 {
	if s == nil {
		return -1
	}
	return s.Day
}

// TestLogRank: 16.79 for 6-mercaptopurine against placebo, as Cox and Oakes 1984 and
// many since have it; 3.40 for AML, p = 0.0653, as of Miller 1981 and R's survdiff.
func TestLogRank(t *testing.T) {
	x, p, ok := LogRank(durations(t, mercaptopurine), durations(t, placebo))
	if !ok {
		t.Fatal("there is no test")
	}
	near(t, "chi-squared", x, 16.79, 0.005)
	near(t, "p", p, 0.0000417, 0.00000005)
	x, p, ok = LogRank(durations(t, maintained), durations(t, nonmaintained))
	if !ok {
		t.Fatal("there is no test")
	}
	near(t, "chi-squared", x, 3.40, 0.005)
	near(t, "p", p, 0.0653, 0.00005)
	for _, c := range [][2]string{{"", ""}, {"3", ""}, {"3+ 4+", "5+"}, {"3+", "4"}, {"3", "3"}} {
		if x, p, ok := LogRank(durations(t, c[0]), durations(t, c[1])); ok {
			t.Errorf("%v: %v, %v", c, x, p)
		}
	}
}

// drawn are some durations, of which some ended.
func drawn(rt *rapid.T, name string) (d Durations, days []int32, ended []bool) {
	days = rapid.SliceOfN(rapid.Int32Range(0, 30), 0, 40).Draw(rt, name)
	for i, day := range days {
		ended = append(ended, rapid.Bool().Draw(rt, name+strconv.Itoa(i)))
		d.Add(day, ended[i])
	}
	return d, days, ended
}

// TestKaplanMeierProperties: a curve never rises, lies in its interval within 0 and
// 1, counts who is at risk, and is the share that lasts longer as long as nothing is
// left open.
func TestKaplanMeierProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d, days, ended := drawn(rt, "days")
		curve, was := KaplanMeier(d, Level), Step{Open: 1}
		for day := int32(0); day < 33; day++ {
			s := curve.At(day)
			var atRisk, longer, openBefore int32
			for i, x := range days {
				if x >= day {
					atRisk++
				}
				if x > day {
					longer++
				}
				if !ended[i] && x < day {
					openBefore++
				}
			}
			if s.Day != day || s.AtRisk != atRisk || s.Open > was.Open {
				rt.Fatalf("day %d: %+v after %+v, at risk %d", day, s, was, atRisk)
			}
			if in := s.Interval; !(0 <= in.Low && in.Low <= s.Open && s.Open <= in.High && in.High <= 1 && s.Error >= 0 && s.Error <= 1) {
				rt.Fatalf("day %d: %+v", day, s)
			}
			if openBefore == 0 && len(days) > 0 {
				open := 0
				for i, x := range days {
					if x == day && !ended[i] {
						open++
					}
				}
				if want := float64(int(longer)+open) / float64(len(days)); math.Abs(s.Open-want) > 1e-12 {
					rt.Fatalf("day %d: %v, of all %v last longer", day, s.Open, want)
				}
			}
			was = s
		}
		if m := curve.Median(); m.At != nil && (m.Low == nil || m.Low.Day > m.At.Day || m.High != nil && m.High.Day < m.At.Day) {
			rt.Fatalf("median %+v from %+v to %+v", m.At, m.Low, m.High)
		}
	})
}

// TestLogRankProperties: it does not matter which of two comes first, nor in what
// unit they last; of the same twice there is no difference.
func TestLogRankProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, days, ended := drawn(rt, "a")
		b, _, _ := drawn(rt, "b")
		x, p, ok := LogRank(a, b)
		y, q, also := LogRank(b, a)
		if ok != also || math.Abs(x-y) > 1e-9 || math.Abs(p-q) > 1e-9 || !(p >= 0 && p <= 1) || !(x >= 0) || math.IsInf(x, 0) {
			rt.Fatalf("%v %v %v, the other way %v %v %v", x, p, ok, y, q, also)
		}
		if x, p, ok := LogRank(a, a); ok && (x > 1e-9 || p < 0.999) {
			rt.Fatalf("differs from itself: %v, %v", x, p)
		}
		var weeks, same Durations
		for i, day := range days {
			weeks.Add(7*day, ended[i])
			same.Add(7*day+3, ended[i])
		}
		if x, _, ok := LogRank(weeks, weeks); ok && x > 1e-9 {
			rt.Fatalf("differs from itself in weeks: %v", x)
		}
		if a.N() != weeks.N() || a.Ended() != same.Ended() {
			rt.Fatalf("%d of %d, in another unit %d of %d", a.Ended(), a.N(), same.Ended(), weeks.N())
		}
	})
}

func BenchmarkKaplanMeier(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	days := make([]int32, 100_000)
	for i := range days {
		days[i] = random.Int32N(400)
	}
	for b.Loop() {
		var d Durations
		for i, day := range days {
			d.Add(day, i%3 > 0)
		}
		if m := KaplanMeier(d, Level).Median(); m.At == nil {
			b.Fatal("no median")
		}
	}
}

// TestUntil: a curve of what was looked at for so long only is the same up to then, and
// holds nothing after.
func TestUntil(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var d Durations
		for range rapid.IntRange(1, 30).Draw(rt, "n") {
			d.Add(rapid.Int32Range(0, 20).Draw(rt, "days"), rapid.Bool().Draw(rt, "ended"))
		}
		until := rapid.Int32Range(0, 25).Draw(rt, "until")
		cut := d.Until(until)
		if cut.N() != d.N() {
			rt.Fatalf("%d of %d", cut.N(), d.N())
		}
		whole, part := KaplanMeier(d, Level), KaplanMeier(cut, Level)
		for day := range until + 1 {
			if a, b := whole.At(day), part.At(day); a.Open != b.Open || a.AtRisk != b.AtRisk || a.Error != b.Error {
				rt.Fatalf("day %d: %+v, not %+v", day, b, a)
			}
		}
		for _, step := range part {
			if step.Day > until {
				rt.Fatalf("a step on day %d", step.Day)
			}
		}
	})
}
