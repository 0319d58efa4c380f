// Package resourcetest gives tests of resource types a store, a clock that stands
// and ids that can be told in advance.
package resourcetest

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/services/kit/token"
)

// Start is what the clock shows at first.
var Start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// Rig is what resource types are declared with. Caller is who calls.
type Rig struct {
	Deps   *resource.Deps
	Clock  *clock.Manual
	Caller string
}

// New gives a rig without a store; declare types with its Deps, then Open.
func New(t testing.TB) *Rig {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	key, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	validator, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}
	r := &Rig{Clock: clock.NewManual(Start), Caller: "ada"}
	r.Deps = &resource.Deps{
		Clock: r.Clock.Now, NewID: ids.Sequence(), Tokens: token.New(key), Source: "rebound/test", Validator: validator,
		Principal: func(context.Context) string { return r.Caller },
		Person:    func(context.Context) string { return "tenants/acme/people/" + r.Caller },
	}
	return r
}

// Open opens a store for the declared kinds; it is closed when the test ends.
func (r *Rig) Open(t testing.TB, kinds ...store.Kind) store.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), sqlite.Options{
		Path: filepath.Join(t.TempDir(), "test.db"), NewID: ids.Random, Schema: store.Schema{Version: 1, Kinds: kinds},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r.Deps.Store = s
	return s
}

// Events gives an owner's events, in order.
func (r *Rig) Events(t testing.TB, owner string) []*eventsv1.Event {
	t.Helper()
	s := r.Deps.Store
	all, err := s.(store.Log).Read(context.Background(), store.PartitionOf(owner, s.(store.Log).Partitions()), 0, store.MaxRead)
	if err != nil {
		t.Fatal(err)
	}
	var out []*eventsv1.Event
	for _, e := range all {
		if e.GetOwner() == owner {
			out = append(out, e)
		}
	}
	return out
}

// Refused fails the test unless err is a fault of that reason.
func Refused(t testing.TB, err error, reason string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Reason != reason {
		t.Errorf("got %v, want %s", err, reason)
	}
}
