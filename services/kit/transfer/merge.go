package transfer

import (
	"cmp"
	"iter"
)

// Merge reads sequences that are each in the order of time as one. Of each, it
// holds one record. The first error ends it.
func Merge(sequences ...iter.Seq2[Record, error]) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		heads := make([]head, 0, len(sequences))
		defer func() {
			for _, h := range heads {
				h.stop()
			}
		}()
		for _, s := range sequences {
			next, stop := iter.Pull2(s)
			heads = append(heads, head{next: next, stop: stop})
			heads[len(heads)-1].advance()
		}
		for {
			first := -1
			for i, h := range heads {
				if h.ok && (first < 0 || h.before(heads[first])) {
					first = i
				}
			}
			if first < 0 {
				return
			}
			h := &heads[first]
			if !yield(h.record, h.err) || h.err != nil {
				return
			}
			h.advance()
		}
	}
}

// head is the first record of a sequence that was not read yet.
type head struct {
	next   func() (Record, error, bool)
	stop   func()
	record Record
	err    error
	ok     bool
}

func (h *head) advance() { h.record, h.err, h.ok = h.next() }

// before tells whether h comes first: an error does, then what was made earlier.
func (h head) before(other head) bool {
	if (h.err != nil) != (other.err != nil) {
		return h.err != nil
	}
	return cmp.Or(h.record.CreateTime.Compare(other.record.CreateTime),
		cmp.Compare(h.record.Kind, other.record.Kind), cmp.Compare(h.record.Name, other.record.Name)) < 0
}
