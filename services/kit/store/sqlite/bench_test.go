package sqlite_test

import (
	"testing"

	"github.com/rebound-hq/rebound/services/kit/store/storetest"
)

func BenchmarkStore(b *testing.B) { storetest.Bench(b, newOpener()) }
