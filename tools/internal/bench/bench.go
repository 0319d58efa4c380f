// Package bench measures a system beside bare floors, in one run: machines
// differ and are noisy, ratios less so.
package bench

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// Figure is one measurement.
type Figure struct {
	Name string
	// PerSecond is how often it was done.
	PerSecond float64
	// P50 and P99 are latencies.
	P50, P99 time.Duration
	// Floor names the figure it is held against; "" for none.
	Floor string
	// Remark is what else there is to say.
	Remark string
}

// Latencies gathers latencies one by one, for what workers do not measure. Not
// safe for concurrent use.
type Latencies struct{ all histogram }

// Add adds one.
func (l *Latencies) Add(d time.Duration) { l.all.add(d) }

// Figure gives what was gathered over a time.
func (l *Latencies) Figure(name string, over time.Duration) Figure {
	return Figure{Name: name, PerSecond: float64(l.all.n) / over.Seconds(), P50: l.all.quantile(0.5), P99: l.all.quantile(0.99)}
}

// Measure has workers do something for a while.
func Measure(ctx context.Context, name, floor string, workers int, d time.Duration, do func(ctx context.Context, worker, i int) error) (Figure, error) {
	ctx, cancel := context.WithTimeout(ctx, d+30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	latencies := make([]*histogram, workers)
	begun := time.Now()
	for w := range workers {
		latencies[w] = &histogram{}
		wg.Go(func() {
			for i := 0; time.Since(begun) < d && failed.Load() == nil; i++ {
				at := time.Now()
				if err := do(ctx, w, i); err != nil {
					failed.Store(&err)
					return
				}
				latencies[w].add(time.Since(at))
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	if err := failed.Load(); err != nil {
		return Figure{}, fmt.Errorf("%s: %w", name, *err)
	}
	all := &histogram{}
	for _, h := range latencies {
		all.merge(h)
	}
	return Figure{Name: name, PerSecond: float64(all.n) / took.Seconds(), P50: all.quantile(0.5), P99: all.quantile(0.99), Floor: floor}, nil
}

// Print writes figures as a table, each with its share of its floor.
func Print(w io.Writer, figures []Figure) error {
	by := map[string]float64{}
	for _, f := range figures {
		by[f.Name] = f.PerSecond
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if _, err := fmt.Fprintln(t, "\tper second\tp50\tp99\tof floor\t"); err != nil {
		return err
	}
	for _, f := range figures {
		share, p50, p99, rate := f.Remark, "", "", ""
		if f.PerSecond > 0 {
			rate = fmt.Sprintf("%.0f", f.PerSecond)
		}
		if f.Floor != "" && by[f.Floor] > 0 {
			share = fmt.Sprintf("%.0f %% of %s", 100*f.PerSecond/by[f.Floor], f.Floor)
		}
		if f.P50 > 0 {
			p50, p99 = f.P50.Round(time.Microsecond).String(), f.P99.Round(time.Microsecond).String()
		}
		if _, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t\n", f.Name, rate, p50, p99, share); err != nil {
			return err
		}
	}
	return t.Flush()
}

// histogram counts latencies in buckets that grow by a twentieth: bounded
// memory, quantiles to five in a hundred.
type histogram struct {
	buckets [400]int
	n       int
}

const (
	smallest = float64(time.Microsecond)
	growth   = 1.05
)

func (h *histogram) add(d time.Duration) {
	i := 0
	for limit := smallest; float64(d) > limit && i < len(h.buckets)-1; i++ {
		limit *= growth
	}
	h.buckets[i]++
	h.n++
}

func (h *histogram) merge(o *histogram) {
	for i, c := range o.buckets {
		h.buckets[i] += c
	}
	h.n += o.n
}

func (h *histogram) quantile(q float64) time.Duration {
	want, limit := int(q*float64(h.n)), smallest
	for _, c := range h.buckets {
		if want -= c; want < 0 {
			return time.Duration(limit)
		}
		limit *= growth
	}
	return time.Duration(limit)
}
