// Package keys holds a deployment's own secrets: the keys that encrypt people's
// data keys, seal tokens and make pseudonyms. They lie in a file now; a KMS can
// take over the key-encryption keys through the KMS interface.
package keys

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyderivation"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// KMS gives each tenant's key-encryption key.
type KMS interface {
	// KEK gives the primitive that encrypts the data keys of a tenant's people.
	KEK(ctx context.Context, tenant string) (tink.AEAD, error)
}

// Set is an opened key file. Safe for concurrent use.
type Set struct {
	deriver    keyderivation.KeysetDeriver
	tokens     tink.AEAD
	pseudonyms *prf.Set

	mu   sync.Mutex
	keks map[string]tink.AEAD
}

var _ KMS = (*Set)(nil)

// file is the key file: Tink key sets in clear, so that the file's own
// protection is all they have.
type file struct {
	Version int `json:"version"`
	// KEK derives each tenant's key-encryption key.
	KEK json.RawMessage `json:"kek"`
	// Tokens seals page and resume tokens.
	Tokens json.RawMessage `json:"tokens"`
	// Pseudonyms makes pseudonyms. Its primary key must never change: the
	// pseudonyms would.
	Pseudonyms json.RawMessage `json:"pseudonyms"`
}

const fileVersion = 1

// OpenOrCreate opens a key file, making it with fresh keys when there is none.
func OpenOrCreate(path string) (*Set, error) {
	s, err := Open(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if err := Create(path); err != nil {
		return nil, err
	}
	return Open(path)
}

// Create makes a key file with fresh keys, readable by its owner only. It never
// writes over one.
func Create(path string) error {
	derive, err := keyderivation.CreatePRFBasedKeyTemplate(prf.HKDFSHA256PRFKeyTemplate(), aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	f := file{Version: fileVersion}
	for _, k := range []struct {
		into     *json.RawMessage
		template *tinkpb.KeyTemplate
	}{
		{&f.KEK, derive},
		{&f.Tokens, aead.AES256GCMKeyTemplate()},
		{&f.Pseudonyms, prf.HMACSHA256PRFKeyTemplate()},
	} {
		if *k.into, err = fresh(k.template); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	_, err = out.Write(append(text, '\n'))
	return errors.Join(err, out.Sync(), out.Close())
}

func fresh(t *tinkpb.KeyTemplate) (json.RawMessage, error) {
	h, err := keyset.NewHandle(t)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b))
	return b.Bytes(), err
}

// Open opens a key file.
func Open(path string) (*Set, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, errors.New("keys: the key file is not valid JSON")
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("keys: the key file has version %d, this release knows %d", f.Version, fileVersion)
	}
	s := &Set{keks: map[string]tink.AEAD{}}
	kek, err := read(f.KEK, "kek")
	if err != nil {
		return nil, err
	}
	tokens, err := read(f.Tokens, "tokens")
	if err != nil {
		return nil, err
	}
	pseudonyms, err := read(f.Pseudonyms, "pseudonyms")
	if err != nil {
		return nil, err
	}
	var errs [3]error
	s.deriver, errs[0] = keyderivation.New(kek)
	s.tokens, errs[1] = aead.New(tokens)
	s.pseudonyms, errs[2] = prf.NewPRFSet(pseudonyms)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return s, nil
}

func read(raw json.RawMessage, what string) (*keyset.Handle, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, fmt.Errorf("keys: the key set %q cannot be read", what)
	}
	return h, nil
}

// KEK implements KMS by derivation: a tenant's key follows from its name.
func (s *Set) KEK(_ context.Context, tenant string) (tink.AEAD, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.keks[tenant]; ok {
		return a, nil
	}
	h, err := s.deriver.DeriveKeyset([]byte("kek:" + tenant))
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	a, err := aead.New(h)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	s.keks[tenant] = a
	return a, nil
}

// Tokens is the primitive that seals tokens.
func (s *Set) Tokens() tink.AEAD { return s.tokens }

// pseudonymBytes is how many bytes of the PRF's output a pseudonym has: 128 bits.
const pseudonymBytes = 16

// Pseudonymiser is Set.Pseudonym, for who needs no key but for that.
type Pseudonymiser func(tenant, name string) (string, error)

// Pseudonym gives the pseudonym of something within a tenant, such as a person's
// or a resource's name: "p-" and 26 lower-case letters and digits, stable within
// the tenant, not to be reversed without the key.
func (s *Set) Pseudonym(tenant, name string) (string, error) {
	// Lengths come first, so that no two pairs have the same input.
	var in []byte
	for _, part := range []string{"pseudonym", tenant, name} {
		in = binary.AppendUvarint(in, uint64(len(part)))
		in = append(in, part...)
	}
	out, err := s.pseudonyms.ComputePrimaryPRF(in, pseudonymBytes)
	if err != nil {
		return "", fmt.Errorf("keys: %w", err)
	}
	return "p-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(out)), nil
}
