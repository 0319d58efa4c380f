package life

import (
	"context"
)

// told is a story in the words of whoever is up again.
const told = "We launched on a day that was full already, and it broke in front of the client. I had seen it coming and said nothing. " +
	"I learned to ask on the first day what everybody needs to be ready, and since then I do."

// tell makes a story of a setback and gives it to those who are where one was.
func (l *lived) tell(ctx context.Context) error {
	story := "/stories/" + l.setback
	l.counts.Stories.Add(1)
	for _, r := range []struct {
		path string
		body body
	}{
		{"/stories?storyId=" + l.setback, body{
			"setback": l.person.Name + "/setbacks/" + l.setback, "situation": "A launch on a full day",
			"actions": "I said nothing", "result": "It broke", "learning": "To ask on the first day",
		}},
		{story + "/versions?storyVersionId=public", body{"audience": "PUBLIC", "text": told}},
		{story + "/versions/public:publish", body{"confirmedText": told}},
	} {
		if err := l.do(ctx, "POST", r.path, r.body); err != nil {
			return err
		}
	}
	return nil
}
