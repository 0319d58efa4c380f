package life

import (
	"context"

	"github.com/rebound-hq/rebound/services/kit/ids"
)

// coach is who coaches everybody in these lives.
const coach = "demo-coach"

// share lets the coach read the person's setbacks for a year.
func (l *lived) share(ctx context.Context) error {
	return l.do(ctx, "POST", "/grants?grantId=coach", body{
		"reader": "tenants/" + l.play.Tenant + "/people/" + coach, "scope": body{"kind": "setbacks"},
		"until": date(l.play.Today.AddDate(1, 0, 0)), "note": "So that we can talk about them",
	})
}

// comment is the coach, who has read what happened.
func (l *lived) comment(ctx context.Context) error {
	setback := l.person.Name + "/setbacks/" + l.setback
	if err := l.doAs(ctx, l.coach, "GET", "/setbacks/"+l.setback, nil); err != nil {
		return err
	}
	l.counts.Comments.Add(1)
	return l.doAs(ctx, l.coach, "POST", "/comments?requestId="+ids.Derived(setback, coach), body{
		"subject": setback, "text": "It took courage to look at this so closely.",
	})
}
