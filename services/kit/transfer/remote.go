package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	transferv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/transfer/v1"
)

// Remote is the records of another service.
type Remote struct {
	Client transferv1.TransferServiceClient
}

var _ Source = Remote{}

// Kinds implements Source.
func (r Remote) Kinds(ctx context.Context) ([]string, error) {
	res, err := r.Client.ListKinds(ctx, &transferv1.ListKindsRequest{})
	return res.GetKinds(), err
}

// Count implements Source.
func (r Remote) Count(ctx context.Context, owner string) iter.Seq2[Count, error] {
	return func(yield func(Count, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := r.Client.CountRecords(ctx, &transferv1.CountRecordsRequest{Owner: owner})
		if err != nil {
			yield(Count{}, err)
			return
		}
		for {
			res, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(Count{Kind: res.GetKind(), Entries: res.GetEntries()}, err) || err != nil {
				return
			}
		}
	}
}

// Lines implements Source.
func (r Remote) Lines(ctx context.Context, owner, kind string) iter.Seq2[Record, error] {
	return r.read(ctx, &transferv1.ReadRecordsRequest{Owner: owner, Kind: kind})
}

// Texts implements Source.
func (r Remote) Texts(ctx context.Context, owner, zone string) iter.Seq2[Record, error] {
	return r.read(ctx, &transferv1.ReadRecordsRequest{Owner: owner, TimeZone: zone})
}

func (r Remote) read(ctx context.Context, req *transferv1.ReadRecordsRequest) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := r.Client.ReadRecords(ctx, req)
		if err != nil {
			yield(Record{}, err)
			return
		}
		var u unpacker
		for {
			res, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, part := range res.GetParts() {
				if rec, whole := u.add(part); whole && !yield(rec, nil) {
					return
				}
			}
		}
	}
}

// Restore implements Source.
func (r Remote) Restore(ctx context.Context, b Batch) ([]Outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := r.Client.RestoreRecords(ctx)
	if err != nil {
		return nil, err
	}
	p := packer{send: func(parts []*transferv1.RecordPart) error {
		return stream.Send(&transferv1.RestoreRecordsRequest{Owner: b.Owner, Operation: b.Operation, ValidateOnly: b.ValidateOnly, Parts: parts})
	}}
	for _, rec := range b.Records {
		if err = p.add(rec); err != nil {
			break
		}
	}
	if err == nil {
		err = p.flush()
	}
	if err != nil && !errors.Is(err, io.EOF) { // EOF: what went wrong is told by the answer
		return nil, err
	}
	res, err := stream.CloseAndRecv()
	if err != nil {
		return nil, err
	}
	if len(res.GetOutcomes()) != len(b.Records) {
		return nil, fmt.Errorf("transfer: %d outcomes of %d records", len(res.GetOutcomes()), len(b.Records))
	}
	out := make([]Outcome, len(b.Records))
	for i, o := range res.GetOutcomes() {
		out[i] = Outcome{Result: o.GetResult(), Reason: o.GetReason()}
	}
	return out, nil
}
