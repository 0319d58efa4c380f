package lifecycle

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage may gather before it is collected, as a share of
// what is in use: services hold little and make much, so that Go's default would
// have them collect all the time.
const gcPercent = 400

// RelaxGC sets the collector's pace for a service, unless GOGC says otherwise.
// GOMEMLIMIT bounds it as ever.
func RelaxGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
