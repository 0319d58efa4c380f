// Package say is what things are called where people read of them.
package say

import (
	"fmt"

	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
)

// Practice is what a practice is called.
type Practice struct {
	Practice typev1.Practice
	// Name heads a line; Done is what there is on a day with it, within a sentence.
	Name, Done string
}

// Practices are all there are, in the order in which they are told.
var Practices = []Practice{
	{typev1.Practice_PRACTICE_GRATITUDE, "Gratitudes", "gratitudes"},
	{typev1.Practice_PRACTICE_STEP, "Steps", "completed steps"},
	{typev1.Practice_PRACTICE_DEBRIEF, "Debriefs", "completed debriefs"},
	{typev1.Practice_PRACTICE_REFLECTION, "Reflections", "reflections"},
	{typev1.Practice_PRACTICE_REFRAME, "Reframes", "reframes"},
	{typev1.Practice_PRACTICE_VISUALIZATION, "Visualizations", "visualizations"},
}

// Count is how many there are of something: "1 day", "2 days".
func Count[N int | int32](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", one, "s")
}
