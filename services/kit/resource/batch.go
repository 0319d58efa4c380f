package resource

import (
	"context"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Made is what became of one document of a batch.
type Made[T proto.Message] struct {
	// Doc is the document as it was made; the zero T when it was refused.
	Doc T
	// Refused says why there is none; nil when it was made. It blames the fields of the
	// document, as Create does.
	Refused *fault.Fault
}

// CreateAll makes several documents below one parent, as Create makes one, with one
// commit of the store. Each is made or refused alone, and the answer has one Made for
// each, in order. With a requestID, a batch that is sent again gives the same documents at
// the same places. An error is the whole batch's: it may be sent again.
func (r *Resource[T]) CreateAll(ctx context.Context, parent, requestID string, docs []T) ([]Made[T], error) {
	if err := r.names.checkParent("parent", parent, false); err != nil {
		return nil, err
	}
	if err := r.parentExists(ctx, parent); err != nil {
		return nil, err
	}
	now := r.deps.Clock()
	made := make([]Made[T], len(docs))
	var writes []store.Write
	var places []int // of writes among docs
	for i, doc := range docs {
		w, err := r.item(ctx, parent, requestID, i, doc, now)
		if made[i].Refused, err = refusal(err); err != nil {
			return nil, err
		}
		if made[i].Refused == nil {
			writes, places = append(writes, w), append(places, i)
		}
	}
	if len(writes) == 0 {
		return made, nil
	}
	var written []T
	for j, res := range r.deps.Store.Commit(ctx, writes...) {
		m := &made[places[j]]
		var err error
		m.Doc, err = r.committed(writes[j], res)
		if m.Refused, err = refusal(err); err != nil {
			return nil, err
		}
		if m.Refused == nil {
			written = append(written, m.Doc)
		}
	}
	if r.Derive != nil && len(written) > 0 {
		return made, r.Derive(ctx, written)
	}
	return made, nil
}

// item is the insertion of one document of a batch.
func (r *Resource[T]) item(ctx context.Context, parent, requestID string, i int, doc T, now time.Time) (store.Write, error) {
	if err := r.valid(doc); err != nil {
		return store.Write{}, err
	}
	if requestID != "" {
		requestID = ids.Derived(requestID, strconv.Itoa(i))
	}
	id, err := r.newID(ctx, parent, "", requestID, doc, now)
	if err != nil {
		return store.Write{}, err
	}
	return r.insertion(ctx, r.names.join(parent, id), parent, requestID, doc, now)
}

// refusal tells an error that is about one document of a batch, and leaves the others
// alone, from one that ends the batch.
func refusal(err error) (*fault.Fault, error) {
	if err == nil {
		return nil, nil
	}
	f := rpc.Fault(err)
	if !slices.Contains([]codes.Code{codes.InvalidArgument, codes.FailedPrecondition, codes.AlreadyExists}, f.Code) {
		return nil, err
	}
	return f, nil
}
