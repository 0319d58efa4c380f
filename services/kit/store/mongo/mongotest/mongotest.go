// Package mongotest finds the server that tests run against.
package mongotest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rebound-hq/rebound/services/kit/ids"
)

// URI gives the server's URI, or skips the test.
func URI(t testing.TB) string {
	t.Helper()
	uri := os.Getenv("MONGODB_URI")
	if uri == "" {
		t.Skip("MONGODB_URI is not set: this test needs a MongoDB or compatible server")
	}
	return uri
}

// Database gives the name of a database that nobody else has. It is dropped when
// the test ends, after what the test opened later has been closed, and so are all
// whose names begin with it and an underscore.
func Database(t testing.TB) string {
	t.Helper()
	uri, name := URI(t), "rebound_test_"+strings.ReplaceAll(ids.Random(), "-", "")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		client := Client(t, uri)
		all, err := client.ListDatabaseNames(ctx, bson.D{})
		if err != nil {
			t.Errorf("listing databases: %v", err)
		}
		for _, each := range all {
			if each != name && !strings.HasPrefix(each, name+"_") {
				continue
			}
			if err := client.Database(each).Drop(ctx); err != nil {
				t.Errorf("dropping the test's database: %v", err)
			}
		}
		if err := client.Disconnect(ctx); err != nil {
			t.Error(err)
		}
	})
	return name
}

// Client connects to the server, beside any store.
func Client(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	return client
}
