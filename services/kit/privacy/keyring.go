package privacy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/keys"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// ErrErased is a person whose data key was destroyed: nothing of theirs can be
// read or written any more.
var ErrErased = errors.New("privacy: the person was erased")

// CacheTime is how long a key is used without looking again: another process may
// have destroyed it.
const CacheTime = time.Minute

// Limits of the keyring.
const (
	// cachedOwners is how many people's keys are held in memory.
	cachedOwners = 10_000
)

const (
	keyKind   = "dataKeys"
	keySuffix = "/dataKey"
)

// Keyring makes and finds people's data keys. They lie in the store itself,
// encrypted with the key of their tenant.
type Keyring struct {
	docs   store.Documents
	kms    keys.KMS
	clock  clock.Clock
	cache  *expirable.LRU[string, tink.AEAD]
	making singleflight.Group
}

// NewKeyring works on the store that data keys lie in: not a sealing one.
func NewKeyring(docs store.Documents, kms keys.KMS, now clock.Clock) *Keyring {
	return &Keyring{docs: docs, kms: kms, clock: now, cache: expirable.NewLRU[string, tink.AEAD](cachedOwners, nil, CacheTime)}
}

// Kind is the kind of record that data keys are.
func Kind() store.Kind {
	return store.Kind{Name: keyKind, New: func() proto.Message { return &storagev1.DataKey{} }}
}

// verified is the owner of the data key that Verify tries; nobody's documents
// are encrypted with it.
const verified = "deployment"

// Verify tells whether the keys are those that the store was made with.
func (k *Keyring) Verify(ctx context.Context) error {
	_, err := k.findOrMake(ctx, verified)
	return err
}

// forRead gives the keys of owners; none where a person has no key or was erased.
func (k *Keyring) forRead(ctx context.Context, owners []string) (map[string]tink.AEAD, error) {
	out := make(map[string]tink.AEAD, len(owners))
	var missing []string
	for _, owner := range owners {
		if a, ok := k.cache.Get(owner); ok {
			out[owner] = a
		} else if !slices.Contains(missing, owner+keySuffix) {
			missing = append(missing, owner+keySuffix)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	found, err := k.docs.GetBatch(ctx, keyKind, missing)
	if err != nil {
		return nil, err
	}
	for _, r := range found {
		a, err := k.unwrap(ctx, r)
		if errors.Is(err, ErrErased) {
			continue
		}
		if err != nil {
			return nil, err
		}
		k.cache.Add(r.Owner, a)
		out[r.Owner] = a
	}
	return out, nil
}

// forWrite gives an owner's key, making it when there is none yet.
func (k *Keyring) forWrite(ctx context.Context, owner string) (tink.AEAD, error) {
	if a, ok := k.cache.Get(owner); ok {
		return a, nil
	}
	// The first caller's end must not end the others' wait.
	shared := context.WithoutCancel(ctx)
	v, err, _ := k.making.Do(owner, func() (any, error) { return k.findOrMake(shared, owner) })
	if err != nil {
		return nil, err
	}
	a := v.(tink.AEAD)
	k.cache.Add(owner, a)
	return a, nil
}

func (k *Keyring) findOrMake(ctx context.Context, owner string) (tink.AEAD, error) {
	r, err := k.docs.Get(ctx, keyKind, owner+keySuffix)
	if err == nil {
		return k.unwrap(ctx, r)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	r, err = k.fresh(ctx, owner)
	if err != nil {
		return nil, err
	}
	res := k.docs.Commit(ctx, store.Write{Op: store.Insert, Record: r})[0]
	if errors.Is(res.Err, store.ErrExists) { // another process was first
		if res.Record, res.Err = k.docs.Get(ctx, keyKind, r.Name); res.Err != nil {
			return nil, res.Err
		}
	}
	if res.Err != nil {
		return nil, res.Err
	}
	return k.unwrap(ctx, res.Record)
}

func (k *Keyring) fresh(ctx context.Context, owner string) (store.Record, error) {
	kek, err := k.kms.KEK(ctx, tenantOf(owner))
	if err != nil {
		return store.Record{}, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return store.Record{}, fmt.Errorf("privacy: %w", err)
	}
	var wrapped bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&wrapped), kek, []byte(owner)); err != nil {
		return store.Record{}, fmt.Errorf("privacy: %w", err)
	}
	return k.record(owner, wrapped.Bytes()), nil
}

func (k *Keyring) record(owner string, wrapped []byte) store.Record {
	now := k.clock()
	return store.Record{
		Kind: keyKind, Name: owner + keySuffix, Parent: owner, Owner: owner, CreateTime: now, UpdateTime: now,
		Body: &storagev1.DataKey{Name: owner + keySuffix, Wrapped: wrapped},
	}
}

func (k *Keyring) unwrap(ctx context.Context, r store.Record) (tink.AEAD, error) {
	body, ok := r.Body.(*storagev1.DataKey)
	if !ok || len(body.GetWrapped()) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrErased, store.ErrNotFound)
	}
	kek, err := k.kms.KEK(ctx, tenantOf(r.Owner))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(body.GetWrapped())), kek, []byte(r.Owner))
	if err != nil {
		return nil, errors.New("privacy: a data key cannot be decrypted: is this the right key file?")
	}
	return aead.New(h)
}

// Destroy erases a person's data key: all they wrote is unreadable from now on,
// in backups too. A mark stays, so that no new key is made; it keeps how many
// documents there were, as the first one to call said. Other processes notice
// within a minute.
func (k *Keyring) Destroy(ctx context.Context, owner string, records int64) (int64, error) {
	err := k.change(ctx, owner, nil, func(key *storagev1.DataKey) bool {
		if len(key.GetWrapped()) == 0 && key.GetName() != "" {
			records = key.GetErasedRecords()
			return false
		}
		key.Name, key.Wrapped, key.ErasedRecords = owner+keySuffix, nil, records
		return true
	})
	return records, err
}

// Erased tells whether a person was erased, and how many documents there were.
func (k *Keyring) Erased(ctx context.Context, owner string) (records int64, erased bool, err error) {
	r, err := k.docs.Get(ctx, keyKind, owner+keySuffix)
	if errors.Is(err, store.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	key := r.Body.(*storagev1.DataKey)
	return key.GetErasedRecords(), len(key.GetWrapped()) == 0, nil
}

// Publish commits an event about an erased person, with the mark of the erasure:
// once per erasure, however often it is called.
func (k *Keyring) Publish(ctx context.Context, owner, erasure string, event *eventsv1.Event) error {
	return k.change(ctx, owner, []*eventsv1.Event{event}, func(key *storagev1.DataKey) bool {
		if key.GetPublishedErasure() == erasure {
			return false
		}
		key.PublishedErasure = erasure
		return true
	})
}

// change writes a data key's record, making it where there is none.
func (k *Keyring) change(ctx context.Context, owner string, events []*eventsv1.Event, edit func(*storagev1.DataKey) bool) error {
	first := k.record(owner, nil)
	first.Body = &storagev1.DataKey{}
	defer k.cache.Remove(owner)
	_, err := store.Edit(ctx, k.docs, k.clock, first, edit, events...)
	return err
}

// tenantOf is the tenant in an owner's name.
func tenantOf(owner string) string {
	if segments := strings.Split(owner, "/"); len(segments) > 1 {
		return segments[1]
	}
	return ""
}
