package cohort_test

import (
	"fmt"
	"os"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/rebound-hq/rebound/services/kit/lifecycle"
)

func BenchmarkZZ(b *testing.B) {
	lifecycle.RelaxGC()
	office := newOffice(9, 100_000)
	for n := range 6 {
		d := after(b, office, 4)
		f, _ := os.Create(fmt.Sprintf("/tmp/zz%d.prof", n))
		pprof.StartCPUProfile(f)
		t0 := time.Now()
		d.ask(weeksAgo(12, 1), "", []string{"department"}, everything...)
		fmt.Println("FIRST", time.Since(t0))
		pprof.StopCPUProfile()
		f.Close()
	}
}
