package conformance

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Print writes a line per guarantee, and tells whether none was found broken.
func Print(out io.Writer, results []Result) (kept bool, err error) {
	kept = true
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range results {
		kept = kept && r.Verdict != Fail
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", r.Verdict, r.Guarantee, r.Found); err != nil {
			return false, err
		}
	}
	return kept, table.Flush()
}
