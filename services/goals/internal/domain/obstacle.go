package domain

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// maxMeetings is how many meetings with an obstacle are kept; the oldest go first. All of
// them are counted.
const maxMeetings = 100

// settleObstacles gives the obstacles of a goal that is about to be written ids.
func (d *Domain) settleObstacles(c resource.Change[*goalsv1.Goal]) error {
	seen := map[string]bool{}
	for i, o := range c.New.GetObstacles() {
		if err := d.identify(fmt.Sprintf("goal.obstacles[%d].id", i), &o.Id, seen); err != nil {
			return err
		}
	}
	return nil
}

// MeetObstacle counts that an obstacle was met.
func (d *Domain) MeetObstacle(ctx context.Context, req *goalsv1.MeetObstacleRequest) (*goalsv1.Goal, error) {
	id := d.requestedID(req.GetName(), req.GetObstacle(), req.GetRequestId())
	return d.Goals.Mutate(ctx, "obstacleMet", req.GetName(), req.GetEtag(), func(g *goalsv1.Goal, now time.Time) error {
		i := slices.IndexFunc(g.Obstacles, func(o *goalsv1.Obstacle) bool { return o.GetId() == req.GetObstacle() })
		if i < 0 {
			return fault.Invalid("obstacle", "OBSTACLE_UNKNOWN", "must be the id of an obstacle of the goal")
		}
		o := g.Obstacles[i]
		if slices.ContainsFunc(o.Meetings, func(m *goalsv1.ObstacleMeeting) bool { return m.GetId() == id }) {
			return nil // the same request came again
		}
		if req.GetFollowed() && o.GetThen() == "" {
			return fault.Precondition("OBSTACLE_WITHOUT_PLAN", "a plan is followed once there is one; say what then first")
		}
		o.TimesMet++
		if req.GetFollowed() {
			o.TimesFollowed++
		}
		o.Meetings = append(o.Meetings, &goalsv1.ObstacleMeeting{Id: id, MeetTime: timestamppb.New(now), Followed: req.GetFollowed()})
		o.Meetings = o.Meetings[max(0, len(o.Meetings)-maxMeetings):]
		return nil
	})
}
