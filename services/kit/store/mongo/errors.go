package mongo

import (
	"context"
	"errors"
	"fmt"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// Codes of servers that mean something here.
const (
	codeIndexNotFound    = 27
	codeBSONTooLarge     = 10334
	codeUpdateTooLarge   = 17419
	codeDocumentTooLarge = 17420
)

// fail hides the driver's error behind the contract's; that of a context that has
// ended stays what it is. The driver's text goes no further: it can hold values
// of documents.
func fail(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, driver.ErrClientDisconnected):
		return store.ErrClosed
	case hasCode(err, codeBSONTooLarge, codeUpdateTooLarge, codeDocumentTooLarge):
		return store.ErrTooLarge
	}
	for _, known := range []error{store.ErrTooLarge, store.ErrUnavailable, store.ErrInvalid, store.ErrClosed, store.ErrGone, store.ErrNewerSchema} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %s", store.ErrUnavailable, describe(err))
}

// describe says what failed by the server's code or the kind of failure.
func describe(err error) string {
	var server driver.ServerError
	switch {
	case errors.As(err, &server):
		return fmt.Sprintf("mongo: the server answered with %v", server.ErrorCodes())
	case driver.IsNetworkError(err):
		return "mongo: network error"
	case driver.IsTimeout(err):
		return "mongo: timeout"
	}
	return fmt.Sprintf("mongo: %T", err)
}

func hasCode(err error, codes ...int) bool {
	var server driver.ServerError
	if !errors.As(err, &server) {
		return false
	}
	for _, c := range codes {
		if server.HasErrorCode(c) {
			return true
		}
	}
	return false
}

// duplicate tells whether an ordered insert of many stopped at a document that
// was there, and how many it had inserted before.
func duplicate(err error) (inserted int, ok bool) {
	var bulk driver.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil || len(bulk.WriteErrors) != 1 {
		return 0, false
	}
	first := bulk.WriteErrors[0]
	return first.Index, driver.IsDuplicateKeyError(first.WriteError)
}
