package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rebound-hq/rebound/services/kit/clock"
)

// errNoKeys is a key file that cannot be read just now.
var errNoKeys = errors.New("auth: the key file cannot be read")

// keyFile is a JWKS in a local file, read again when it changes.
type keyFile struct {
	path  string
	clock clock.Clock

	mu      sync.Mutex
	keys    jose.JSONWebKeySet
	changed time.Time // the file's own
	looked  time.Time
}

// lookEvery is how often the file is looked at.
const lookEvery = time.Second

func openKeyFile(path string, now clock.Clock) (*keyFile, error) {
	f := &keyFile{path: path, clock: now}
	_, err := f.read()
	return f, err
}

// VerifySignature implements oidc.KeySet.
func (f *keyFile) VerifySignature(_ context.Context, token string) ([]byte, error) {
	keys, err := f.read()
	if err != nil {
		return nil, err
	}
	sig, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, err
	}
	if len(sig.Signatures) != 1 {
		return nil, errors.New("auth: one signature is wanted")
	}
	id := sig.Signatures[0].Header.KeyID
	for _, k := range keys.Keys {
		if id != "" && k.KeyID != id || !k.IsPublic() {
			continue
		}
		if payload, err := sig.Verify(k); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("auth: no key of the file fits")
}

func (f *keyFile) read() (jose.JSONWebKeySet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock()
	if len(f.keys.Keys) > 0 && now.Sub(f.looked) < lookEvery {
		return f.keys, nil
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return f.keys, fmt.Errorf("%w: %w", errNoKeys, err)
	}
	f.looked = now
	if info.ModTime().Equal(f.changed) {
		return f.keys, nil
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return f.keys, fmt.Errorf("%w: %w", errNoKeys, err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(text, &keys); err != nil || len(keys.Keys) == 0 {
		return f.keys, fmt.Errorf("%w: it holds no keys", errNoKeys)
	}
	f.keys, f.changed = keys, info.ModTime()
	return f.keys, nil
}
