package mongo_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/mongo"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/mongotest"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/services/kit/store/storetest"
)

// opener keeps each store in a database of its own.
type opener struct{}

func (opener) Open(t testing.TB, schema store.Schema) store.Store {
	t.Helper()
	s, err := open(t, mongotest.Database(t), schema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, database string, schema store.Schema) (placedStore, error) {
	s, err := mongo.Open(t.Context(), mongo.Options{URI: mongotest.URI(t), Database: database, Schema: schema, NewID: ids.Random})
	if err != nil {
		return placedStore{}, err
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return placedStore{s, database}, nil
}

// placedStore remembers where a store lies.
type placedStore struct {
	*mongo.Store
	database string
}

func (opener) Reopen(t testing.TB, s store.Store, schema store.Schema) (store.Store, error) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := open(t, s.(placedStore).database, schema)
	if err != nil {
		return nil, err
	}
	return again, nil
}

func TestConformance(t *testing.T) {
	mongotest.URI(t)
	storetest.Run(t, opener{})
}

func TestLinearizable(t *testing.T) {
	mongotest.URI(t)
	storetest.Linearizable(t, opener{})
}

// TestDifferential: the two stores answer random scripts alike.
func TestDifferential(t *testing.T) {
	mongotest.URI(t)
	storetest.Differential(t, opener{}, embedded{})
}

// embedded opens SQLite stores to compare with.
type embedded struct{}

func (embedded) Open(t testing.TB, schema store.Schema) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "test.db"), Schema: schema, NewID: ids.Random})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (embedded) Reopen(testing.TB, store.Store, store.Schema) (store.Store, error) {
	return nil, errors.New("there is no need to")
}

func BenchmarkStore(b *testing.B) {
	mongotest.URI(b)
	storetest.Bench(b, opener{})
}
