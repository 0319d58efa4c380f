package sqlite_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/services/kit/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opener keeps each store in a folder of its own.
type opener struct{ paths map[string]string }

func newOpener() *opener { return &opener{paths: map[string]string{}} }

func (o *opener) Open(t testing.TB, schema store.Schema) store.Store {
	t.Helper()
	s, err := open(t, filepath.Join(t.TempDir(), "test.db"), schema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, path string, schema store.Schema) (pathStore, error) {
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Schema: schema, NewID: ids.Random})
	if err != nil {
		return pathStore{}, err
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return pathStore{s, path}, nil
}

// pathStore remembers where a store lies.
type pathStore struct {
	*sqlite.Store
	path string
}

func (o *opener) Reopen(t testing.TB, s store.Store, schema store.Schema) (store.Store, error) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := open(t, s.(pathStore).path, schema)
	if err != nil {
		return nil, err
	}
	return again, nil
}

func TestConformance(t *testing.T) { storetest.Run(t, newOpener()) }

func TestLinearizable(t *testing.T) { storetest.Linearizable(t, newOpener()) }
