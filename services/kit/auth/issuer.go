package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/rebound-hq/rebound/services/kit/clock"
)

// What the development issuer's tokens say.
const (
	DevIssuer   = "https://dev.rebound.invalid"
	DevAudience = "rebound"
)

// Issuer signs tokens for development: what `rebound up` trusts. Its key lies in
// a file; it must not be trusted in production.
type Issuer struct {
	signer   jose.Signer
	clock    clock.Clock
	jwksPath string
}

// OpenIssuer opens the issuer of a folder, making its key (dev-issuer.json, for
// its owner only) and its public keys (dev-jwks.json) when they are not there.
func OpenIssuer(dir string, now clock.Clock) (*Issuer, error) {
	path := filepath.Join(dir, "dev-issuer.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = newIssuerKey(path); err != nil {
			return nil, fmt.Errorf("auth: %w", err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(text, &key); err != nil || !key.Valid() {
		return nil, fmt.Errorf("auth: the development issuer's key file holds no key")
	}
	i := &Issuer{clock: now, jwksPath: filepath.Join(dir, "dev-jwks.json")}
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	if have, err := os.ReadFile(i.jwksPath); err != nil || string(have) != string(public) {
		if err := os.WriteFile(i.jwksPath, public, 0o600); err != nil {
			return nil, fmt.Errorf("auth: %w", err)
		}
	}
	i.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return i, nil
}

func newIssuerKey(path string) ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(jose.JSONWebKey{Key: private, KeyID: "dev-1", Algorithm: string(jose.ES256), Use: "sig"})
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = out.Write(text)
	return text, errors.Join(err, out.Close())
}

// JWKSFile is where the issuer's public keys are.
func (i *Issuer) JWKSFile() string { return i.jwksPath }

// Claims is what a token shall say.
type Claims struct {
	Subject string
	Tenant  string
	Person  string
	// Roles as tokens write them, such as "person".
	Roles []string
	// TTL is how long the token is good.
	TTL time.Duration
}

// Mint signs a token.
func (i *Issuer) Mint(c Claims) (string, error) {
	now := i.clock()
	std := jwt.Claims{
		Issuer: DevIssuer, Audience: jwt.Audience{DevAudience}, Subject: c.Subject,
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(c.TTL)),
	}
	own := map[string]any{"roles": c.Roles}
	if c.Tenant != "" {
		own["tenant"] = c.Tenant
	}
	if c.Person != "" {
		own["person"] = c.Person
	}
	token, err := jwt.Signed(i.signer).Claims(std).Claims(own).Serialize()
	if err != nil {
		return "", fmt.Errorf("auth: %w", err)
	}
	return token, nil
}

// TokenSource gives the token to call others with.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
}

// Source gives tokens with these claims, each used for half its life.
func (i *Issuer) Source(c Claims) TokenSource { return &issuerSource{issuer: i, claims: c} }

type issuerSource struct {
	issuer *Issuer
	claims Claims

	mu    sync.Mutex
	token string
	until time.Time
}

func (s *issuerSource) Token(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.issuer.clock()
	if s.token != "" && now.Before(s.until) {
		return s.token, nil
	}
	token, err := s.issuer.Mint(s.claims)
	if err != nil {
		return "", err
	}
	s.token, s.until = token, now.Add(s.claims.TTL/2)
	return token, nil
}

// FileSource gives the token that lies in a file, as platforms put them there
// and renew them.
type FileSource string

// Token implements TokenSource.
func (f FileSource) Token(context.Context) (string, error) {
	text, err := os.ReadFile(string(f))
	if err != nil {
		return "", fmt.Errorf("auth: the service token's file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// PerRPC sends a source's token with every call.
type PerRPC struct {
	Source TokenSource
	// RequireTLS refuses to send it in clear.
	RequireTLS bool
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (c PerRPC) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := c.Source.Token(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (c PerRPC) RequireTransportSecurity() bool { return c.RequireTLS }
