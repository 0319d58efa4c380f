package privacy

import (
	"maps"
	"sync"
)

// Ledger is all that was released in a tenant. It is not safe for concurrent use, but
// for branches of a draft that are about different families.
type Ledger struct {
	minimum func(family string) int
	mu      sync.Mutex // of units, while there are branches
	units   map[Key]*unit
}

// NewLedger makes an empty ledger. Minimum is the least number of people that what
// follows from a family's numbers may be about.
func NewLedger(minimum func(family string) int) *Ledger {
	return &Ledger{minimum: minimum, units: map[Key]*unit{}}
}

func (l *Ledger) unit(k Key) *unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u, ok := l.units[k]; ok {
		return u
	}
	u := newUnit(k, l.minimum(k.Family))
	l.units[k] = u
	return u
}

// Windows are those of the sets of a Key.
func (l *Ledger) Windows(k Key) *Windows { return l.unit(k).windows }

// Record adds what was released.
func (l *Ledger) Record(k Key, r Release) { l.units[k], _ = l.unit(k).with(r) }

// Forget drops weeks before one that nobody can ask about any more.
func (l *Ledger) Forget(week int32) {
	for k := range l.units {
		if k.Week != 0 && k.Week < week {
			delete(l.units, k)
		}
	}
}

// Recorded is a release under its key.
type Recorded struct {
	Key     Key
	Release Release
}

// Draft is what a report would add to a ledger.
type Draft struct {
	ledger *Ledger
	units  map[Key]*unit
	// Added is what has to be recorded for that.
	Added []Recorded
}

// Draft begins a report. Earlier drafts must be done with.
func (l *Ledger) Draft() *Draft {
	for _, u := range l.units {
		if u.windows != nil {
			u.windows.cut(u.used)
		}
	}
	return &Draft{ledger: l, units: map[Key]*unit{}}
}

// Windows are those of the sets of a Key.
func (d *Draft) Windows(k Key) *Windows { return d.ledger.Windows(k) }

// Branch is a draft that goes on from another, which knows nothing of it.
func (d *Draft) Branch() *Draft { return &Draft{ledger: d.ledger, units: maps.Clone(d.units)} }

// Join takes over what a branch adds, which nothing else was added to.
func (d *Draft) Join(branch *Draft) {
	maps.Copy(d.units, branch.units)
	d.Added = append(d.Added, branch.Added...)
}

// Take takes a number for known that was judged to be safe in a branch.
func (d *Draft) Take(a Ask, c *Candidate) {
	r := releaseOf(c)
	if next, n := d.unit(a.Key).with(r); n.fresh {
		d.add(next, r)
	}
}

func (d *Draft) unit(k Key) *unit {
	if u, ok := d.units[k]; ok {
		return u
	}
	return d.ledger.unit(k)
}

func (d *Draft) add(next *unit, r Release) {
	d.units[next.key] = next
	d.Added = append(d.Added, Recorded{next.key, r})
}

// Keep makes what the draft adds part of its ledger, once it is recorded.
func (d *Draft) Keep() {
	for k, u := range d.units {
		d.ledger.units[k] = u
	}
}
