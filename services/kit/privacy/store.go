package privacy

import (
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/proto"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// sealing is a store that encrypts people's words on the way in and decrypts
// them on the way out.
type sealing struct {
	store.Store
	keyring *Keyring
}

// NewStore gives a store that keeps the text fields of bodies encrypted under
// their owner's data key, bound to the record's name. Record.Sealed is its own:
// what a caller puts there is lost.
func NewStore(inner store.Store, keyring *Keyring) store.Store {
	return &sealing{Store: inner, keyring: keyring}
}

// Commit implements store.Documents.
func (s *sealing) Commit(ctx context.Context, writes ...store.Write) []store.Result {
	sealed := make([]store.Write, 0, len(writes))
	out := make([]store.Result, len(writes))
	place := make([]int, 0, len(writes)) // of sealed writes among all
	for i, w := range writes {
		r, err := s.seal(ctx, w)
		if err != nil {
			out[i] = store.Result{Record: w.Record, Err: err}
			continue
		}
		w.Record = r
		sealed, place = append(sealed, w), append(place, i)
	}
	for j, res := range s.Store.Commit(ctx, sealed...) {
		i := place[j]
		switch {
		case res.Err != nil || writes[i].Op == store.Delete:
			res.Record.Body = writes[i].Record.Body
		case res.Replayed:
			res.Err = s.open(ctx, []*store.Record{&res.Record})
		default:
			res.Record.Body = writes[i].Record.Body
		}
		res.Record.Sealed = nil
		out[i] = res
	}
	return out
}

// seal moves the words of a record into its sealed part. Words are in there by
// the path of their field, so that fields may be added later.
func (s *sealing) seal(ctx context.Context, w store.Write) (store.Record, error) {
	r := w.Record
	r.Sealed = nil
	if w.Op == store.Delete || r.Body == nil {
		return r, nil
	}
	p := planOf(r.Body.ProtoReflect().Descriptor())
	if len(p.fields) == 0 {
		return r, nil
	}
	// Asked for even where there are no words: to an erased person nothing is
	// written any more.
	key, err := s.keyring.forWrite(ctx, r.Owner)
	if err != nil {
		return r, err
	}
	r.Body = proto.Clone(r.Body)
	texts := map[string]string{}
	p.edit(r.Body.ProtoReflect(), "", func(path, text string) string {
		if text != "" {
			texts[path] = text
		}
		return ""
	})
	if len(texts) == 0 {
		return r, nil
	}
	plain, err := proto.Marshal(&storagev1.Sealed{Texts: texts})
	if err != nil {
		return r, fmt.Errorf("privacy: %w", err)
	}
	r.Sealed, err = key.Encrypt(plain, []byte(r.Name))
	return r, err
}

// open puts the words back into records, asking for all owners' keys at once.
func (s *sealing) open(ctx context.Context, records []*store.Record) error {
	var owners []string
	for _, r := range records {
		if len(r.Sealed) > 0 {
			owners = append(owners, r.Owner)
		}
	}
	if len(owners) == 0 {
		return nil
	}
	keys, err := s.keyring.forRead(ctx, owners)
	if err != nil {
		return err
	}
	for _, r := range records {
		if len(r.Sealed) == 0 {
			continue
		}
		if err := openOne(r, keys[r.Owner]); err != nil {
			return err
		}
	}
	return nil
}

func openOne(r *store.Record, key tink.AEAD) error {
	if key == nil {
		return fmt.Errorf("%w: %w", ErrErased, store.ErrNotFound)
	}
	plain, err := key.Decrypt(r.Sealed, []byte(r.Name))
	if err != nil {
		return errors.New("privacy: a record cannot be decrypted")
	}
	var sealed storagev1.Sealed
	if err := proto.Unmarshal(plain, &sealed); err != nil {
		return errors.New("privacy: a record's text cannot be decoded")
	}
	planOf(r.Body.ProtoReflect().Descriptor()).edit(r.Body.ProtoReflect(), "", func(path, text string) string {
		if sealed, ok := sealed.GetTexts()[path]; ok {
			return sealed
		}
		return text
	})
	r.Sealed = nil
	return nil
}

// Get implements store.Documents.
func (s *sealing) Get(ctx context.Context, kind, name string) (store.Record, error) {
	r, err := s.Store.Get(ctx, kind, name)
	if err != nil {
		return r, err
	}
	if err := s.open(ctx, []*store.Record{&r}); err != nil {
		return store.Record{}, err
	}
	return r, nil
}

// GetBatch implements store.Documents. Records of erased people are not there.
func (s *sealing) GetBatch(ctx context.Context, kind string, names []string) (map[string]store.Record, error) {
	found, err := s.Store.GetBatch(ctx, kind, names)
	if err != nil {
		return nil, err
	}
	records := make([]*store.Record, 0, len(found))
	for _, r := range found {
		records = append(records, &r)
	}
	if err := s.openPresent(ctx, &records); err != nil {
		return nil, err
	}
	out := make(map[string]store.Record, len(records))
	for _, r := range records {
		out[r.Name] = *r
	}
	return out, nil
}

// List implements store.Documents. Records of erased people are left out.
func (s *sealing) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := s.Store.List(ctx, q)
	if err != nil {
		return page, err
	}
	records := make([]*store.Record, len(page.Records))
	for i := range page.Records {
		records[i] = &page.Records[i]
	}
	if err := s.openPresent(ctx, &records); err != nil {
		return store.Page{}, err
	}
	opened := make([]store.Record, len(records))
	for i, r := range records {
		opened[i] = *r
	}
	page.Records = opened
	return page, nil
}

// openPresent opens records and drops those whose owner was erased.
func (s *sealing) openPresent(ctx context.Context, records *[]*store.Record) error {
	err := s.open(ctx, *records)
	if !errors.Is(err, ErrErased) {
		return err
	}
	kept := (*records)[:0]
	for _, r := range *records {
		switch err := s.open(ctx, []*store.Record{r}); {
		case err == nil:
			kept = append(kept, r)
		case !errors.Is(err, ErrErased):
			return err
		}
	}
	*records = kept
	return nil
}
