package transfer

import (
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	transferv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/transfer/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// maxPart is how many bytes of records go into one message.
const maxPart = 1 << 20

// Server implements TransferService over a service's records.
type Server struct {
	transferv1.UnsafeTransferServiceServer
	records *Records
}

var _ transferv1.TransferServiceServer = (*Server)(nil)

// NewServer serves records.
func NewServer(records *Records) *Server { return &Server{records: records} }

// ListKinds implements TransferServiceServer.
func (s *Server) ListKinds(ctx context.Context, _ *transferv1.ListKindsRequest) (*transferv1.ListKindsResponse, error) {
	kinds, err := s.records.Kinds(ctx)
	return &transferv1.ListKindsResponse{Kinds: kinds}, err
}

// CountRecords implements TransferServiceServer.
func (s *Server) CountRecords(req *transferv1.CountRecordsRequest, stream grpc.ServerStreamingServer[transferv1.CountRecordsResponse]) error {
	if err := checkOwner(req.GetOwner()); err != nil {
		return err
	}
	for c, err := range s.records.Count(stream.Context(), req.GetOwner()) {
		if err == nil {
			err = stream.Send(&transferv1.CountRecordsResponse{Kind: c.Kind, Entries: c.Entries})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkOwner(owner string) error {
	if parts := strings.Split(owner, "/"); len(parts) != 4 || parts[0] != "tenants" || parts[2] != "people" || parts[1] == "" || parts[3] == "" {
		return fault.Invalid("owner", "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}")
	}
	return nil
}

// ReadRecords implements TransferServiceServer.
func (s *Server) ReadRecords(req *transferv1.ReadRecordsRequest, stream grpc.ServerStreamingServer[transferv1.ReadRecordsResponse]) error {
	if err := checkOwner(req.GetOwner()); err != nil {
		return err
	}
	records := s.records.Texts(stream.Context(), req.GetOwner(), req.GetTimeZone())
	if req.GetKind() != "" {
		records = s.records.Lines(stream.Context(), req.GetOwner(), req.GetKind())
	}
	p := packer{send: func(parts []*transferv1.RecordPart) error {
		return stream.Send(&transferv1.ReadRecordsResponse{Parts: parts})
	}}
	for rec, err := range records {
		if err == nil {
			err = p.add(rec)
		}
		if err != nil {
			return err
		}
	}
	return p.flush()
}

// RestoreRecords implements TransferServiceServer.
func (s *Server) RestoreRecords(stream grpc.ClientStreamingServer[transferv1.RestoreRecordsRequest, transferv1.RestoreRecordsResponse]) error {
	var b Batch
	var u unpacker
	size := 0
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = checkOwner(req.GetOwner())
		}
		if err != nil {
			return err
		}
		if b.Owner != "" && b.Owner != req.GetOwner() {
			return fault.Invalid("owner", "NAME_INVALID", "must be the same in all requests of a stream")
		}
		b.Owner, b.Operation, b.ValidateOnly = req.GetOwner(), req.GetOperation(), req.GetValidateOnly()
		for _, part := range req.GetParts() {
			if size += len(part.GetData()); size > MaxBatchBytes || len(b.Records) > MaxBatch {
				return fault.Invalid("parts", "BATCH_TOO_LARGE", "must be at most %d records with %d bytes", MaxBatch, MaxBatchBytes)
			}
			if rec, whole := u.add(part); whole {
				b.Records = append(b.Records, rec)
			}
		}
	}
	outcomes, err := s.records.Restore(stream.Context(), b)
	if err != nil {
		return err
	}
	res := &transferv1.RestoreRecordsResponse{}
	for _, o := range outcomes {
		res.Outcomes = append(res.Outcomes, &transferv1.RestoreOutcome{Result: o.Result, Reason: o.Reason})
	}
	return stream.SendAndClose(res)
}

// packer gathers records into messages, and cuts those that are too large for one.
type packer struct {
	send  func([]*transferv1.RecordPart) error
	parts []*transferv1.RecordPart
	size  int
}

func (p *packer) add(rec Record) error {
	for {
		data, rest := cut(rec.Data, maxPart)
		part := &transferv1.RecordPart{Kind: rec.Kind, Name: rec.Name, Data: data, Continued: rest != ""}
		if !rec.CreateTime.IsZero() {
			part.CreateTime = timestamppb.New(rec.CreateTime)
		}
		p.parts, p.size = append(p.parts, part), p.size+len(data)
		if p.size >= maxPart {
			if err := p.flush(); err != nil {
				return err
			}
		}
		if rec.Data = rest; rest == "" {
			return nil
		}
	}
}

// cut takes at most n bytes off a text, between characters.
func cut(text string, n int) (head, rest string) {
	if len(text) <= n {
		return text, ""
	}
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n], text[n:]
}

func (p *packer) flush() error {
	if len(p.parts) == 0 {
		return nil
	}
	parts := p.parts
	p.parts, p.size = nil, 0
	return p.send(parts)
}

// unpacker puts records together again.
type unpacker struct{ data strings.Builder }

func (u *unpacker) add(part *transferv1.RecordPart) (rec Record, whole bool) {
	u.data.WriteString(part.GetData())
	if part.GetContinued() {
		return Record{}, false
	}
	rec = Record{Kind: part.GetKind(), Name: part.GetName(), Data: u.data.String()}
	if part.GetCreateTime() != nil {
		rec.CreateTime = part.GetCreateTime().AsTime()
	}
	u.data.Reset()
	return rec, true
}
