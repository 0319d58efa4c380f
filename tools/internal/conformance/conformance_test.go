package conformance

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestChecks: a system that keeps everything passes, and each check finds the system
// that breaks its guarantee, while the others do not blame it.
func TestChecks(t *testing.T) {
	for _, c := range []struct {
		defect string
		fails  []string
	}{
		{"", nil},
		{"no pipeline", nil},
		{"long batches", nil},
		{"out of order", []string{"ordered"}},
		{"twice sent", []string{"unique"}},
		{"goes back", []string{"unique", "resumable", "bookmarkable"}},
		{"left behind", []string{"atomic"}},
		{"half", []string{"atomic"}},
		{"twice concluded", []string{"atomic"}},
		{"skips", []string{"resumable", "pseudonymous"}},
		{"lost", []string{"reliable"}},
		{"forgets", []string{"resumable", "reliable"}},
		{"tokens by format", []string{"bookmarkable"}},
		{"tokens for anything", []string{"bookmarkable"}},
		{"time too late", []string{"bookmarkable"}},
		{"time for nothing", []string{"bookmarkable"}},
		{"silent", []string{"bookmarkable"}},
		{"formats differ", []string{"same in all formats"}},
		{"never corrects", []string{"corrected"}},
		{"points nowhere", []string{"corrected"}},
		{"corrects twice", []string{"corrected"}},
		{"snapshots lack", []string{"snapshot"}},
		{"snapshots skip", []string{"snapshot"}},
		{"snapshots of what is gone", []string{"snapshot"}},
		{"no mark", []string{"snapshot"}},
		{"speaks of the dead", []string{"pseudonymous"}},
		{"real names", []string{"pseudonymous"}},
		{"pipelines see less", []string{"pseudonymous"}},
	} {
		t.Run(c.defect, func(t *testing.T) {
			t.Parallel()
			results, err := Suite{System: newFake(c.defect), Run: "run-1", Insights: 20, Seed: 1, Patience: 300 * time.Millisecond}.Execute(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var failed []string
			for _, r := range results {
				if r.Verdict == Fail {
					failed = append(failed, r.Guarantee)
				}
				if r.Found == "" || strings.Contains(r.Found, "\n") {
					t.Errorf("%s does not say in one line what it found: %q", r.Guarantee, r.Found)
				}
			}
			if skipped := results[len(results)-1].Verdict == Skip; skipped != (c.defect == "no pipeline") {
				t.Errorf("without a pipeline's token: %v", results[len(results)-1])
			}
			if len(results) != len(checks) || !slices.Equal(failed, c.fails) {
				t.Errorf("%v fail, want %v: %v", failed, c.fails, results)
			}
		})
	}
}

// TestRunCannotBeMade: what is no broken guarantee is an error.
func TestRunCannotBeMade(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	suite := Suite{System: newFake(""), Run: "run-1", Insights: 20, Patience: time.Second}
	if _, err := suite.Execute(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was ended: %v", err)
	}
	suite.Insights = MinInsights - 1
	if _, err := suite.Execute(t.Context()); err == nil {
		t.Error("a run with too few insights to tell anything was made")
	}
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	all, err := Print(&out, []Result{{"ordered", Pass, "fine"}, {"same in all formats", Fail, "other"}})
	if want := "pass  ordered              fine\nFAIL  same in all formats  other\n"; err != nil || all || out.String() != want {
		t.Errorf("%v %v\n%s", all, err, out.String())
	}
	if all, err := Print(&out, []Result{{"ordered", Pass, "fine"}, {"pseudonymous", Skip, "no token"}}); err != nil || !all {
		t.Errorf("%v %v", all, err)
	}
}

// TestParse: lines of both kinds are read, and what is no insight is an error.
func TestParse(t *testing.T) {
	for line, want := range map[string]Frame{
		`{"nextToken":"t"}`:                    {Token: "t"},
		`{"nextToken":"t","historyEnd":true}`:  {Token: "t", HistoryEnd: true},
		`{"nextToken":"t","snapshotEnd":true}`: {Token: "t", SnapshotEnd: true},
		`{"tombstone":{"person":"p"}}`:         {Gone: "p"},
		`{"specversion":"1.0","type":"dev.rebound.tombstone.v1","data":{"person":"p"}}`: {Gone: "p"},
	} {
		if got, err := parseLine([]byte(line)); err != nil || got != want {
			t.Errorf("%s is %v, %v", line, got, err)
		}
	}
	for _, line := range []string{
		`{"insight":{"name":"a","n":2,"later":1}}`, `{"specversion":"1.0","id":"i","data":{"name":"a","n":2}}`,
	} {
		if got, err := parseLine([]byte(line)); err != nil || got.Insight.GetName() != "a" || got.Insight.GetN() != 2 {
			t.Errorf("%s is %v, %v", line, got, err)
		}
	}
	for _, line := range []string{``, `{"insi`, `{"insight":7}`, `{"error":{"reason":"STREAM_LIFETIME"}}`} {
		if got, err := parseLine([]byte(line)); err == nil {
			t.Errorf("%s is %v", line, got)
		}
	}
}
