package consume

import "time"

// RetireAfter sets how soon old generations go.
func (c *Consumer) RetireAfter(d time.Duration) { c.retireAfter = d }

// Numbers gives the current generation and the one that is built, as last seen.
func (g *Generations) Numbers() []Generation {
	state, _ := g.view()
	return numbers(state)
}

// Oldest is the least generation of which something may be left, as last seen.
func (g *Generations) Oldest() Generation {
	state, _ := g.view()
	return Generation(state.GetOldest())
}

// Checkpoint is the name of a checkpoint.
func (g Generation) Checkpoint(source string, share int) string { return g.checkpoint(source, share) }
