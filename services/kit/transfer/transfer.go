// Package transfer reads what a person wrote out of a service and puts it back into
// one: as lines of JSON that are the same wherever they come from, and as Markdown
// for reading. The types that take part are those that resource.Deps calls
// portable.
package transfer

import (
	"context"
	"iter"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	transferv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/transfer/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Limits of what is in memory at once.
const (
	// page is how many documents are read at once, of each kind.
	page = 50
	// MaxBatch is how many records are restored at once.
	MaxBatch = 200
	// MaxBatchBytes is how large they may be in all.
	MaxBatchBytes = 32 << 20
)

// Record is one resource on its way.
type Record struct {
	// Kind is the kind of the resource, such as "setbacks".
	Kind string
	// Name is its name below the person, such as "setbacks/launch".
	Name string
	// Data is a line of JSON without its end, or Markdown.
	Data string
	// CreateTime is when it was made; zero on the way in.
	CreateTime time.Time
}

// Count is how many records of a kind there are.
type Count struct {
	Kind    string
	Entries int64
}

// Batch is records to restore for one person.
type Batch struct {
	Owner string
	// Operation is what they are restored for; restored again for the same, a record
	// counts as created again.
	Operation string
	// ValidateOnly restores nothing.
	ValidateOnly bool
	Records      []Record
}

// Outcome is what became of a record of a batch.
type Outcome struct {
	Result transferv1.RestoreOutcome_RestoreResult
	// Reason is the rule that it breaks, when it was refused.
	Reason string
}

// Source is where a person's records lie: Records is one, and Remote.
type Source interface {
	// Kinds lists the kinds, those above others first.
	Kinds(ctx context.Context) ([]string, error)
	// Count counts a person's records, in the order of Kinds.
	Count(ctx context.Context, owner string) iter.Seq2[Count, error]
	// Lines reads the records of one kind by name.
	Lines(ctx context.Context, owner, kind string) iter.Seq2[Record, error]
	// Texts reads the records of all kinds as Markdown, by the time at which they
	// were made; zone is an IANA time zone.
	Texts(ctx context.Context, owner, zone string) iter.Seq2[Record, error]
	// Restore restores a batch and gives an outcome for each record. An error says
	// nothing about any of them: the batch may be sent again.
	Restore(ctx context.Context, b Batch) ([]Outcome, error)
}

// Records are the records of a service's own store.
type Records struct {
	deps  *resource.Deps
	kinds []kind
}

// kind is a portable type with what is known of its fields.
type kind struct {
	resource.Portable
	name string
	refs *references
}

var _ Source = (*Records)(nil)

// New gives the records of all portable types that were declared with deps.
func New(deps *resource.Deps) *Records {
	r := &Records{deps: deps}
	for _, p := range deps.Portable() {
		r.kinds = append(r.kinds, kind{Portable: p, name: p.Kind().Name, refs: referencesOf(p.Descriptor())})
	}
	return r
}

// Kinds implements Source.
func (r *Records) Kinds(context.Context) ([]string, error) {
	out := make([]string, len(r.kinds))
	for i, k := range r.kinds {
		out[i] = k.name
	}
	return out, nil
}

func (r *Records) kind(name string) (kind, error) {
	i := slices.IndexFunc(r.kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, fault.Invalid("kind", "KIND_UNKNOWN", "must be a kind of record that this service has")
	}
	return r.kinds[i], nil
}

// Count implements Source.
func (r *Records) Count(ctx context.Context, owner string) iter.Seq2[Count, error] {
	return func(yield func(Count, error) bool) {
		for _, k := range r.kinds {
			c := Count{Kind: k.name}
			for _, err := range k.documents(ctx, owner, false) {
				if err != nil {
					yield(c, err)
					return
				}
				c.Entries++
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// documents reads a person's documents, page by page.
func (k kind) documents(ctx context.Context, owner string, byTime bool) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		var after *store.Cursor
		for {
			p, err := k.Records(ctx, owner, byTime, after, page)
			if err != nil {
				yield(store.Record{}, err)
				return
			}
			for _, rec := range p.Records {
				if !yield(rec, nil) {
					return
				}
			}
			if after = p.Next; after == nil {
				return
			}
		}
	}
}

// Lines implements Source.
func (r *Records) Lines(ctx context.Context, owner, name string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		k, err := r.kind(name)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for rec, err := range k.documents(ctx, owner, false) {
			var out Record
			if err == nil {
				out, err = k.line(rec.Body, owner)
				out.CreateTime = rec.CreateTime
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// Texts implements Source.
func (r *Records) Texts(ctx context.Context, owner, zone string) iter.Seq2[Record, error] {
	where, err := time.LoadLocation(zone)
	if err != nil {
		where = time.UTC // a zone that is not known any more
	}
	all := make([]iter.Seq2[Record, error], len(r.kinds))
	for i, k := range r.kinds {
		all[i] = func(yield func(Record, error) bool) {
			for rec, err := range k.documents(ctx, owner, true) {
				if err != nil {
					yield(Record{}, err)
					return
				}
				if !yield(k.text(rec, owner, where), nil) {
					return
				}
			}
		}
	}
	return Merge(all...)
}

// Restore implements Source. Records of a kind that follow each other are restored
// with one write.
func (r *Records) Restore(ctx context.Context, b Batch) ([]Outcome, error) {
	if len(b.Records) > MaxBatch {
		return nil, fault.Invalid("parts", "BATCH_TOO_LARGE", "must be at most %d records", MaxBatch)
	}
	out := make([]Outcome, 0, len(b.Records))
	for len(b.Records) > 0 {
		n := 1
		for n < len(b.Records) && b.Records[n].Kind == b.Records[0].Kind {
			n++
		}
		run := b
		run.Records, b.Records = b.Records[:n], b.Records[n:]
		outcomes, err := r.restoreRun(ctx, run)
		if err != nil {
			return nil, err
		}
		out = append(out, outcomes...)
	}
	return out, nil
}

// restoreRun restores records of one kind.
func (r *Records) restoreRun(ctx context.Context, b Batch) ([]Outcome, error) {
	k, err := r.kind(b.Records[0].Kind)
	if err != nil {
		return nil, err
	}
	out := make([]Outcome, len(b.Records))
	var docs []proto.Message
	var requests []string
	var place []int // of documents among records
	for i, rec := range b.Records {
		doc, err := k.parse(rec, b.Owner)
		if err == nil {
			err = k.CheckRestored(doc)
		}
		if err != nil {
			if out[i], err = refused(err); err != nil {
				return nil, err
			}
			continue
		}
		docs, place = append(docs, doc), append(place, i)
		requests = append(requests, ids.Derived(b.Operation, rec.Name))
		out[i].Result = transferv1.RestoreOutcome_RESTORE_RESULT_CREATED
	}
	if b.ValidateOnly || len(docs) == 0 {
		return out, nil
	}
	var there []int
	for j, err := range k.Restore(ctx, docs, requests) {
		switch i := place[j]; {
		case err == nil:
		case isReason(err, "ALREADY_EXISTS"):
			there = append(there, i)
		default:
			if out[i], err = refused(err); err != nil {
				return nil, err
			}
		}
	}
	return out, r.compare(ctx, k, b, there, out)
}

// compare says of records whose name exists whether they are the same as what is
// there.
func (r *Records) compare(ctx context.Context, k kind, b Batch, there []int, out []Outcome) error {
	if len(there) == 0 {
		return nil
	}
	names := make([]string, len(there))
	for j, i := range there {
		names[j] = b.Owner + "/" + b.Records[i].Name
	}
	stored, err := k.Stored(ctx, names)
	if err != nil {
		return err
	}
	for j, i := range there {
		out[i].Result = transferv1.RestoreOutcome_RESTORE_RESULT_CONFLICT
		have, ok := stored[names[j]]
		if !ok {
			continue // gone meanwhile: sent again, it is made
		}
		want, err := k.parse(b.Records[i], b.Owner)
		if err != nil {
			return err
		}
		same, err := k.same(have, want, b.Owner)
		if err != nil {
			return err
		}
		if same {
			out[i].Result = transferv1.RestoreOutcome_RESTORE_RESULT_UNCHANGED
		}
	}
	return nil
}
