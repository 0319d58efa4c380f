package api

import (
	"context"
	"fmt"
	"time"
)

// Caller sends requests as one person; paths are below the person's name. Person
// is one.
type Caller interface {
	Do(ctx context.Context, method, path string, body, out any) error
}

// Date is a local date as the API writes it.
type Date struct{ Year, Month, Day int }

// Time is the beginning of the date in UTC, to reckon with.
func (d Date) Time() time.Time {
	return time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC)
}

// String is the date as in 2026-11-25.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }
