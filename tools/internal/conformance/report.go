package conformance

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Print writes a line per guarantee, and tells whether all hold.
func Print(out io.Writer, results []Result) (all bool, err error) {
	all = true
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range results {
		mark := "pass"
		if !r.Passed {
			mark, all = "FAIL", false
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", mark, r.Guarantee, r.Found); err != nil {
			return false, err
		}
	}
	return all, table.Flush()
}
