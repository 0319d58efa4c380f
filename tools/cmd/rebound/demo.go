package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/life"
)

// demoCommand plays lives.
type demoCommand struct {
	api.Target
	Tenant string `default:"demo" help:"The tenant."`
	People int    `default:"5" help:"How many people, 1 to 1000."`
	Days   int    `default:"30" help:"How many days up to today, 1 to 365."`
	Seed   uint64 `default:"1" help:"What the lives follow from: the same seed gives the same."`
}

// Run plays the lives and says what came of them.
func (d *demoCommand) Run(ctx context.Context) error {
	if d.People < 1 || d.People > 1000 || d.Days < 1 || d.Days > 365 {
		return fmt.Errorf("--people must be 1 to 1000, --days 1 to 365")
	}
	client, err := api.New(d.Target)
	if err != nil {
		return err
	}
	bar := progressbar.NewOptions(d.People*d.Days, progressbar.OptionSetDescription("living"), progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	begun := time.Now()
	c, err := life.Play{
		Client: client, Tenant: d.Tenant, People: d.People, Days: d.Days, Seed: d.Seed, Today: noon(begun),
		Done: func() { _ = bar.Add(1) }, // a bar that cannot be drawn is no reason to stop
	}.Run(ctx)
	_ = bar.Finish()
	if err != nil {
		return err
	}
	fmt.Printf(`%d people lived %d days in %s:
  %d setbacks, %d recovered from; %d debriefs, %d lessons
  %d check-ins, %d days with gratitudes
  %d strengths, reframes, reflections, visualizations and outreaches
  %d comments by the coach they let in, %d stories published
  %d values, %d avenues, %d of them chosen
  %d goals, %d milestones, %d steps, %d completed; %d check-ins of key results, %d obstacles met, %d celebrations
Look at one:  bin/rebound watch --tenant %s --person demo-001
              bin/rebound goals --tenant %s --person demo-001 --all
`, d.People, d.Days, time.Since(begun).Round(time.Millisecond), c.Setbacks.Load(), c.Recoveries.Load(), c.Debriefs.Load(), c.Lessons.Load(),
		c.CheckIns.Load(), c.Gratitudes.Load(), c.Practices.Load(), c.Comments.Load(), c.Stories.Load(), c.Values.Load(), c.Avenues.Load(), c.Chosen.Load(),
		c.Goals.Load(), c.Milestones.Load(), c.Steps.Load(), c.Completions.Load(), c.KeyResultCheckIns.Load(), c.ObstaclesMet.Load(), c.Celebrations.Load(), d.Tenant, d.Tenant)
	return nil
}

// noon is the middle of yesterday's day in UTC: the lives' last day is over, so
// that nothing of it lies in the future.
func noon(t time.Time) time.Time {
	y, m, d := t.UTC().AddDate(0, 0, -1).Date()
	return time.Date(y, m, d, 12, 0, 0, 0, time.UTC)
}
