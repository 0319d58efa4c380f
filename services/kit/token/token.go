// Package token seals what a client must carry for us without reading or
// changing it: page tokens and resume tokens.
package token

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/proto"
)

// ErrInvalid is a token that was altered, cut, made for another purpose, or
// never a token.
var ErrInvalid = errors.New("token: invalid")

// MaxBytes is the length of the longest token.
const MaxBytes = 4096

// version is the first byte of every token.
const version = 1

// Sealer seals and opens tokens. Safe for concurrent use.
type Sealer struct{ aead tink.AEAD }

// New gives a sealer that works with a key.
func New(aead tink.AEAD) *Sealer { return &Sealer{aead} }

// Seal makes a token of a message, good for one purpose only.
func (s *Sealer) Seal(purpose string, m proto.Message) (string, error) {
	plain, err := proto.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	sealed, err := s.aead.Encrypt(plain, associated(purpose))
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append([]byte{version}, sealed...)), nil
}

// Open reads a token into m. Whatever is wrong with it, the error is ErrInvalid.
func (s *Sealer) Open(purpose, text string, m proto.Message) error {
	if len(text) > MaxBytes {
		return ErrInvalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) == 0 || raw[0] != version {
		return ErrInvalid
	}
	plain, err := s.aead.Decrypt(raw[1:], associated(purpose))
	if err != nil || proto.Unmarshal(plain, m) != nil {
		return ErrInvalid
	}
	return nil
}

// associated binds a token to its version and purpose.
func associated(purpose string) []byte { return append([]byte{version}, purpose...) }
