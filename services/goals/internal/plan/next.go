package plan

import "fmt"

// Reason is what speaks for a step.
type Reason int

const (
	// PastDue is a date that has passed.
	PastDue Reason = iota + 1
	// DueToday is a date that is today.
	DueToday
	// Occurs is the turn of a step that repeats.
	Occurs
	// DueSoon is a date within two weeks.
	DueSoon
	// Small is half an hour or less.
	Small
	// Unblocks is others that wait for it.
	Unblocks
	// Momentum is what was done for its goal lately.
	Momentum
	// Ready is that nothing is in its way.
	Ready
)

// Candidate is a step that could be done today.
type Candidate struct {
	// Days is how many days are left; negative: overdue. Meaningless unless Dated.
	Days  int
	Dated bool
	// Repeats tells a step that repeats, and whose turn has come.
	Repeats bool
	// Minutes is how long it takes; 0: not stated.
	Minutes int
	// Waiting is how many others wait for it, directly or not.
	Waiting int
	// Recent is how often something was done for its goal in the last seven days.
	Recent int
}

// Weights of what speaks for a step: a date counts up to 4, smallness up to 2, the
// others up to 1.
const (
	dateWeight  = 4.0
	smallWeight = 2.0

	horizonDays    = 14
	longMinutes    = 120
	unknownMinutes = 60
	smallMinutes   = 30
	manyWaiting    = 3
)

// Score is how much speaks for a step, 0 to 8, and what of it most:
//
//	4 when it is overdue, due today, or its turn has come,
//	  else 4 (1 - days/14), from 14 days on 0
//	+ 2 (1 - minutes/120), from two hours on 0; 60 when not stated
//	+ 1 waiting/3, from 3 on 1
//	+ 1 when something was done for its goal in the last seven days
func (c Candidate) Score() (float64, Reason) {
	date, why := c.date()
	minutes := c.Minutes
	if minutes <= 0 {
		minutes = unknownMinutes
	}
	small := smallWeight * max(0, 1-float64(minutes)/longMinutes)
	waiting := float64(min(c.Waiting, manyWaiting)) / manyWaiting
	momentum := 0.0
	if c.Recent > 0 {
		momentum = 1
	}
	score := date + small + waiting + momentum
	best := date
	if c.Minutes > 0 && c.Minutes <= smallMinutes && small > best {
		best, why = small, Small
	}
	if waiting > best {
		best, why = waiting, Unblocks
	}
	if momentum > best {
		why = Momentum
	}
	return score, why
}

func (c Candidate) date() (float64, Reason) {
	switch {
	case c.Repeats:
		return dateWeight, Occurs
	case !c.Dated || c.Days >= horizonDays:
		return 0, Ready
	case c.Days < 0:
		return dateWeight, PastDue
	case c.Days == 0:
		return dateWeight, DueToday
	}
	return dateWeight * (1 - float64(c.Days)/horizonDays), DueSoon
}

// Text is a reason in a few words.
func (c Candidate) Text(why Reason) string {
	switch why {
	case PastDue:
		return counted(-c.Days, "day") + " overdue"
	case DueToday:
		return "due today"
	case Occurs:
		if c.Days < 0 {
			return "its turn came " + counted(-c.Days, "day") + " ago"
		}
		return "its turn today"
	case DueSoon:
		return "due in " + counted(c.Days, "day")
	case Small:
		return "small: " + counted(c.Minutes, "minute")
	case Unblocks:
		if c.Waiting == 1 {
			return "something else waits for it"
		}
		return fmt.Sprintf("%d others wait for it", c.Waiting)
	case Momentum:
		return "its goal has momentum: " + counted(c.Recent, "completion") + " in 7 days"
	}
	return "nothing is in its way"
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
