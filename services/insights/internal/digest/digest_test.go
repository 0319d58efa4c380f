package digest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yuin/goldmark"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

const (
	name = "tenants/acme/people/ada/digests/2026-W47"
	// monday is 2026-11-16, the first day of week 47.
	monday = 20773
)

// at is noon, UTC, of a day of week 47, 0 to 6, or before, or after it.
func at(day int) int64 {
	return time.Date(2026, time.November, 16+day, 12, 0, 0, 0, time.UTC).UnixMilli()
}

// history is a person in Berlin, whose numbers one can count by hand.
func history() *storagev1.Projection {
	p := projection.New("tenants/acme/people/ada")
	p.TimeZone = "Europe/Berlin"
	for i, c := range []struct {
		day          int32
		pleasantness int32
	}{{-7, 1}, {-2, -5}, {0, 1}, {0, 3}, {1, -1}, {4, 4}, {7, 5}} {
		day := monday + c.day
		p.CheckIns = append(p.CheckIns, &storagev1.CheckInEntry{Id: string(rune('a' + i)), Time: at(int(c.day)), Day: &day, Pleasantness: c.pleasantness})
	}
	sunday := int32(monday + 6)
	// The last instant of the week in Berlin, and the first of the week after.
	end := time.Date(2026, time.November, 22, 23, 0, 0, 0, time.UTC).UnixMilli()
	p.Setbacks["launch"] = &storagev1.SetbackEntry{Occurred: monday - 20, Recorded: at(-20), Recovered: &sunday}
	p.Setbacks["b"] = &storagev1.SetbackEntry{Occurred: monday - 1, Recorded: end - 1}
	p.Setbacks["c"] = &storagev1.SetbackEntry{Occurred: monday, Recorded: end}
	p.Lessons["x"] = &storagev1.LessonEntry{Captured: at(-3), Applied: at(2)}
	p.Lessons["y"] = &storagev1.LessonEntry{Captured: at(2)}
	p.Goals["g"] = &storagev1.GoalEntry{Created: at(-30), State: typev1.GoalState_GOAL_STATE_ACHIEVED, Changed: at(3)}
	for i, day := range []int32{-1, 0, 0, 5, 8} {
		p.Completions = append(p.Completions, &storagev1.CompletionEntry{Id: string(rune('a' + i)), Day: monday + day})
	}
	p.Gratitudes = []*storagev1.DayRun{{First: monday - 2, Last: monday + 2}, {First: monday + 6, Last: monday + 9}}
	p.Practices = []*storagev1.PracticeEntry{
		{Practice: typev1.Practice_PRACTICE_REFLECTION, Id: "a", Day: monday - 4},
		{Practice: typev1.Practice_PRACTICE_DEBRIEF, Id: "b", Day: monday + 1}, {Practice: typev1.Practice_PRACTICE_DEBRIEF, Id: "c", Day: monday + 1},
	}
	p.Celebrations = map[string]*storagev1.CelebrationEntry{
		"a": {Recorded: at(-9), Celebrated: at(1)}, "b": {Recorded: at(3)}, "c": {Recorded: at(3), Celebrated: at(9)}, "d": {Recorded: at(8)},
	}
	return p
}

func insight(id string, day int, n int32, of *insightsv1.Insight) *insightsv1.Insight {
	of.Name, of.Time, of.N = "tenants/acme/people/ada/insights/"+id, timestamppb.New(time.UnixMilli(at(day))), n
	of.Subjects = []string{"tenants/acme/people/ada/goals/become-a-pilot"}
	return of
}

func insights() []*insightsv1.Insight {
	momentum := func(days int32) *insightsv1.Insight {
		return &insightsv1.Insight{Kind: insightsv1.InsightKind_INSIGHT_KIND_STEP_MOMENTUM, Data: &insightsv1.Insight_StepMomentum{StepMomentum: &insightsv1.StepMomentum{ActiveDays: days}}}
	}
	return []*insightsv1.Insight{
		insight("e", 6, 1, &insightsv1.Insight{Kind: insightsv1.InsightKind_INSIGHT_KIND_SETBACK_RECOVERED, Data: &insightsv1.Insight_SetbackRecovered{
			SetbackRecovered: &insightsv1.SetbackRecovered{OccurredOn: localdate.FromDays(monday - 20), RecoveredOn: localdate.FromDays(monday + 6), Days: 26}}}),
		insight("d", 5, 5, momentum(3)),
		insight("c", 4, 5, momentum(3)),
		insight("b", 3, 2, momentum(1)),
		insight("a", 2, 1, &insightsv1.Insight{Kind: insightsv1.InsightKind_INSIGHT_KIND_MILESTONE_REACHED, Data: &insightsv1.Insight_MilestoneReached{
			MilestoneReached: &insightsv1.MilestoneReached{DaysEarly: -1}}}),
		// What was taken back does not count, and neither does that it was.
		insight("r", 2, 1, &insightsv1.Insight{Kind: insightsv1.InsightKind_INSIGHT_KIND_MILESTONE_REACHED, CorrectedBy: "tenants/acme/people/ada/insights/s",
			Data: &insightsv1.Insight_MilestoneReached{MilestoneReached: &insightsv1.MilestoneReached{}}}),
		insight("s", 3, 1, &insightsv1.Insight{Kind: insightsv1.InsightKind_INSIGHT_KIND_MILESTONE_REACHED, Corrects: "tenants/acme/people/ada/insights/r",
			Correction: insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED}),
	}
}

func period(t *testing.T, id string) Period {
	t.Helper()
	p, ok := ParsePeriod(id)
	if !ok {
		t.Fatalf("%s is no period", id)
	}
	return p
}

func of(t *testing.T, id string, now time.Time) *insightsv1.Digest {
	t.Helper()
	return Of(history(), name, period(t, id), insights(), nil, now)
}

var later = time.Date(2026, time.November, 26, 9, 0, 0, 0, time.UTC)

// TestNumbers: the numbers of a week that is over, and of the one before.
func TestNumbers(t *testing.T) {
	d := of(t, "2026-W47", later)
	i32 := func(n int32) *int32 { return &n }
	mean := 5.0 / 3
	want := &insightsv1.DigestPeriod{
		StartDate: localdate.FromDays(monday), EndDate: localdate.FromDays(monday + 6), CheckIns: i32(4), CheckInDays: i32(3), MeanMood: &mean,
		SetbacksRecorded: 1, SetbacksRecovered: 1, LessonsCaptured: 1, LessonsApplied: 1, StepsCompleted: 3, StepDays: 2, GratitudeDays: 4,
		Practices:         []*insightsv1.DigestPractice{{Practice: typev1.Practice_PRACTICE_DEBRIEF, Days: 1}},
		MilestonesReached: 1, GoalsAchieved: 1, CelebrationsDue: 2,
	}
	if !proto.Equal(d.GetPeriod(), want) {
		t.Errorf("got  %v\nwant %v", d.GetPeriod(), want)
	}
	want = &insightsv1.DigestPeriod{
		StartDate: localdate.FromDays(monday - 7), EndDate: localdate.FromDays(monday - 1), CheckIns: i32(2), CheckInDays: i32(2),
		LessonsCaptured: 1, StepsCompleted: 1, StepDays: 1, GratitudeDays: 2,
		Practices: []*insightsv1.DigestPractice{{Practice: typev1.Practice_PRACTICE_REFLECTION, Days: 1}}, CelebrationsDue: 1,
	}
	if !proto.Equal(d.GetBefore(), want) {
		t.Errorf("got  %v\nwant %v", d.GetBefore(), want)
	}
	if !d.GetOver() || !d.GetAsOf().AsTime().Equal(time.Date(2026, time.November, 22, 23, 0, 0, 0, time.UTC)) || d.GetInsightsN() != 5 {
		t.Errorf("over %v, as of %v, %d insights", d.GetOver(), d.GetAsOf().AsTime(), d.GetInsightsN())
	}
	var told []string
	for _, in := range d.GetInsights() {
		told = append(told, localdate.Text(in.GetOn())+" "+in.GetStatement())
	}
	if !slices.Equal(told, []string{
		"2026-11-18 A milestone was reached, 1 day late.", "2026-11-20 Steps were completed on 3 of 7 days.",
		"2026-11-22 Up again after a setback of 2026-10-27, in 26 days.",
	}) {
		t.Errorf("%q", told)
	}
}

// TestGoingOn: a week that is not over tells its numbers so far, and says so.
func TestGoingOn(t *testing.T) {
	d := of(t, "2026-W47", time.UnixMilli(at(1)).UTC())
	p := d.GetPeriod()
	if d.GetOver() || p.GetCheckIns() != 3 || p.MeanMood != nil || p.GetSetbacksRecovered() != 0 || p.GetStepsCompleted() != 2 || p.GetGratitudeDays() != 2 || p.GetCelebrationsDue() != 0 {
		t.Errorf("%v", d)
	}
	if !d.GetAsOf().AsTime().Equal(time.UnixMilli(at(1))) || localdate.Text(p.GetEndDate()) != "2026-11-22" {
		t.Errorf("%v", d)
	}
	if !strings.Contains(d.GetMarkdown(), "The week goes on: its numbers are those so far") {
		t.Errorf("%s", d.GetMarkdown())
	}
}

// TestNoLongerKept: check-ins that are no longer kept one by one are not told as none.
func TestNoLongerKept(t *testing.T) {
	p := history()
	p.CheckIns, p.MoodBase = p.GetCheckIns()[3:], &storagev1.MoodBase{N: 500}
	d := Of(p, name, period(t, "2026-W47"), nil, nil, later)
	if d.GetPeriod().CheckIns != nil || d.GetBefore().CheckIns != nil || !strings.Contains(d.GetMarkdown(), "Check-ins: no longer kept (before: no longer kept)") {
		t.Errorf("%s", d.GetMarkdown())
	}
}

func TestParsePeriod(t *testing.T) {
	for id, want := range map[string]string{
		"2026-W47": "2026-11-16 2026-11-22 2026-11-09 Week 47 of 2026", "2026-W01": "2025-12-29 2026-01-04 2025-12-22 Week 1 of 2026",
		"2026-W53": "2026-12-28 2027-01-03 2026-12-21 Week 53 of 2026", "2026-10": "2026-10-01 2026-10-31 2026-09-01 October 2026",
		"2024-02": "2024-02-01 2024-02-29 2024-01-01 February 2024", "2026-01": "2026-01-01 2026-01-31 2025-12-01 January 2026",
		"2025-W53": "", "2026-W00": "", "2026-W54": "", "2026-W4": "", "2026-W047": "", "2026-13": "", "2026-00": "", "2026-1": "", "2026-010": "",
		"": "", "2026": "", "2026-": "", "2026-W": "", "2026-w47": "", "202610": "", "+026-10": "", "2026-+1": "", "2026-W+4": "", "2026-W4x": "", "latest": "", "2026-W47-": "",
	} {
		p, ok := ParsePeriod(id)
		got := ""
		if ok {
			got = strings.Join([]string{date(p.Span.From), date(p.Span.Until), date(p.Before.From), p.Title}, " ")
		}
		if got != want || ok && p.Before.Until != p.Span.From-1 {
			t.Errorf("%q: %q, %v", id, got, p)
		}
	}
}

// TestMarkdown: it is CommonMark of headings, paragraphs and lists, whole with each
// number, and with nothing of what things are called.
func TestMarkdown(t *testing.T) {
	text := of(t, "2026-W47", later).GetMarkdown()
	for _, want := range []string{
		"# Week 47 of 2026\n", "2026-11-16 to 2026-11-22, beside the week before.", "- Check-ins: 4 on 3 days (before: 2 on 2 days)\n",
		"- Mean mood, -5 to +5: +1.7 (before: fewer than 3 days)\n", "- Days with completed debriefs: 1 (before: 0)\n", "- Days with reflections: 0 (before: 1)\n",
		"- 2026-11-18: A milestone was reached, 1 day late.\n", "## What this is not\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	var html bytes.Buffer
	if err := goldmark.Convert([]byte(text), &html); err != nil {
		t.Fatal(err)
	}
	for tag, n := range map[string]int{"<h1>": 1, "<h2>": 3, "<ul>": 2, "<li>": 17, "<p>": 2, "<!--": 0, "<em>": 0, "<code>": 0, "<a": 0} {
		if got := strings.Count(html.String(), tag); got != n {
			t.Errorf("%d of %s:\n%s", got, tag, html.String())
		}
	}
	wordless(t, text)
	if text := Of(projection.New("tenants/acme/people/ada"), name, period(t, "2026-10"), nil, nil, later).GetMarkdown(); !strings.Contains(text, "Nothing was recorded in either.") {
		t.Errorf("%s", text)
	}
}

// wordless fails when a text holds what a person called something, or who they are.
func wordless(t *testing.T, text string) {
	t.Helper()
	for _, word := range []string{"ada", "acme", "launch", "pilot", "tenants/"} {
		if regexp.MustCompile(`\b` + word + `\b`).MatchString(text) {
			t.Errorf("it holds %q", word)
		}
	}
}

// TestPage: the page is well-formed, loads nothing and runs nothing, has a heading for
// each part, and a picture in words for each chart.
func TestPage(t *testing.T) {
	for _, id := range []string{"2026-W47", "2026-10", "2026-11"} {
		d := of(t, id, later)
		page, err := Page(history(), period(t, id), d)
		if err != nil {
			t.Fatal(err)
		}
		tags := map[string]int{}
		ids := map[string]bool{}
		decoder := xml.NewDecoder(bytes.NewReader(page))
		decoder.Entity = xml.HTMLEntity
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, page)
			}
			start, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			tags[start.Name.Local]++
			for _, a := range start.Attr {
				if a.Name.Local == "id" && ids[a.Value] {
					t.Errorf("the id %s is there twice", a.Value)
				}
				ids[a.Value] = ids[a.Value] || a.Name.Local == "id"
				if slices.Contains([]string{"src", "href", "action", "data", "onload"}, a.Name.Local) {
					t.Errorf("<%s %s=%q>", start.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
		if tags["h1"] != 1 || tags["h2"] < 4 || tags["svg"] != 4 || tags["desc"] != 4 || tags["table"] != 1 || tags["script"]+tags["link"]+tags["img"]+tags["iframe"] > 0 {
			t.Errorf("%s: %v", id, tags)
		}
		text := strings.ReplaceAll(string(page), `xmlns="http://www.w3.org/2000/svg"`, "")
		for _, foreign := range []string{"http:", "https:", "//", "url(", "@import", "ZgotmplZ"} {
			if strings.Contains(text, foreign) {
				t.Errorf("%s holds %s", id, foreign)
			}
		}
		for _, want := range []string{`<html lang="en">`, "prefers-color-scheme: dark", "--paper:#FFFFFF;", "default-src &#39;none&#39;"} {
			if !strings.Contains(text, want) && !strings.Contains(text, strings.ReplaceAll(want, "&#39;", "'")) {
				t.Errorf("%s lacks %s", id, want)
			}
		}
		wordless(t, text)
	}
}
