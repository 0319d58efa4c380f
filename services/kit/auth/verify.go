package auth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	lru "github.com/hashicorp/golang-lru/v2"

	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// Config says whose tokens are good. Either JWKSFile or JWKSURL names the keys;
// with neither, they are found by OIDC discovery at the issuer.
type Config struct {
	Issuer   string
	Audience string
	JWKSFile string
	JWKSURL  string
	// TenantClaim, PersonClaim and RolesClaim name the claims; empty: "tenant",
	// "person", "roles".
	TenantClaim, PersonClaim, RolesClaim string
	// Tenants are the tenants this deployment serves; empty: any.
	Tenants []string
	Clock   clock.Clock
}

// Limits of tokens.
const (
	// MaxTokenBytes is the length of the longest token.
	MaxTokenBytes = 8 << 10
	// leeway is how far clocks may differ.
	leeway = 30 * time.Second
	// cachedTokens is how many verified tokens are remembered: checking a
	// signature costs more than all the rest of a call.
	cachedTokens = 50_000
)

// algorithms are those that tokens may be signed with: never none, never shared
// secrets.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.EdDSA, jose.RS256, jose.PS256}

// Verifier verifies tokens. Safe for concurrent use.
type Verifier struct {
	config  Config
	keys    oidc.KeySet
	tenants map[string]bool
	cache   *lru.Cache[[sha256.Size]byte, *Principal]
}

// NewVerifier finds the issuer's keys and gives a verifier. The context must
// live as long as the verifier.
func NewVerifier(ctx context.Context, c Config) (*Verifier, error) {
	if c.Issuer == "" || c.Audience == "" {
		return nil, errors.New("auth: issuer and audience are required")
	}
	if c.Clock == nil {
		c.Clock = clock.System
	}
	for claim, name := range map[*string]string{&c.TenantClaim: "tenant", &c.PersonClaim: "person", &c.RolesClaim: "roles"} {
		if *claim == "" {
			*claim = name
		}
	}
	v := &Verifier{config: c, tenants: map[string]bool{}}
	for _, t := range c.Tenants {
		if !idRule.MatchString(t) {
			return nil, fmt.Errorf("auth: tenant %q is not a tenant id", t)
		}
		v.tenants[t] = true
	}
	var err error
	if v.keys, err = keySet(ctx, c); err != nil {
		return nil, err
	}
	v.cache, err = lru.New[[sha256.Size]byte, *Principal](cachedTokens)
	return v, err
}

func keySet(ctx context.Context, c Config) (oidc.KeySet, error) {
	switch {
	case c.JWKSFile != "":
		return openKeyFile(c.JWKSFile, c.Clock)
	case c.JWKSURL != "":
		return oidc.NewRemoteKeySet(ctx, c.JWKSURL), nil
	}
	provider, err := oidc.NewProvider(ctx, c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("auth: discovery at the issuer: %w", err)
	}
	var found struct {
		JWKSURL string `json:"jwks_uri"`
	}
	if err := provider.Claims(&found); err != nil || found.JWKSURL == "" {
		return nil, errors.New("auth: the issuer does not say where its keys are")
	}
	return oidc.NewRemoteKeySet(ctx, found.JWKSURL), nil
}

// Verify says who a token's bearer is. Errors are faults: UNAUTHENTICATED with
// the reason why the token is not good, or UNAVAILABLE when the keys cannot be
// had.
func (v *Verifier) Verify(ctx context.Context, token string) (*Principal, error) {
	if len(token) > MaxTokenBytes {
		return nil, fault.Unauthenticated("TOKEN_MALFORMED", "the token is longer than %d bytes", MaxTokenBytes)
	}
	key := sha256.Sum256([]byte(token))
	if p, ok := v.cache.Get(key); ok && v.config.Clock().Before(p.Expires) {
		return p, nil
	}
	p, err := v.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	v.cache.Add(key, p)
	return p, nil
}

func (v *Verifier) verify(ctx context.Context, token string) (*Principal, error) {
	if _, err := jose.ParseSignedCompact(token, algorithms); err != nil {
		return nil, fault.Unauthenticated("TOKEN_MALFORMED", "the token is not a JWT signed with an accepted algorithm")
	}
	payload, err := v.keys.VerifySignature(ctx, token)
	if err != nil {
		if errors.Is(err, errNoKeys) || strings.HasPrefix(err.Error(), "fetching keys") {
			return nil, fault.Unavailable(err)
		}
		return nil, fault.Unauthenticated("TOKEN_SIGNATURE", "the token's signature is not of the issuer's keys")
	}
	var std jwt.Claims
	claims := map[string]any{}
	if json.Unmarshal(payload, &std) != nil || json.Unmarshal(payload, &claims) != nil {
		return nil, fault.Unauthenticated("TOKEN_MALFORMED", "the token's claims are not a JSON object of the right types")
	}
	if err := v.checkStandard(std); err != nil {
		return nil, err
	}
	return v.principal(std, claims)
}

func (v *Verifier) checkStandard(std jwt.Claims) error {
	if std.Expiry == nil || std.Subject == "" {
		return fault.Unauthenticated("TOKEN_MALFORMED", "the token needs the claims sub and exp")
	}
	err := std.ValidateWithLeeway(jwt.Expected{
		Issuer: v.config.Issuer, AnyAudience: jwt.Audience{v.config.Audience}, Time: v.config.Clock(),
	}, leeway)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrExpired):
		return fault.Unauthenticated("TOKEN_EXPIRED", "the token has expired")
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return fault.Unauthenticated("TOKEN_ISSUER", "the token is of another issuer")
	case errors.Is(err, jwt.ErrInvalidAudience):
		return fault.Unauthenticated("TOKEN_AUDIENCE", "the token is meant for another audience")
	}
	return fault.Unauthenticated("TOKEN_NOT_YET", "the token is not good yet")
}

func (v *Verifier) principal(std jwt.Claims, claims map[string]any) (*Principal, error) {
	p := &Principal{Subject: std.Subject, Expires: std.Expiry.Time().Add(leeway), Roles: roles(claims[v.config.RolesClaim])}
	p.Tenant, _ = claims[v.config.TenantClaim].(string)
	p.Person, _ = claims[v.config.PersonClaim].(string)
	if len(p.Roles) == 0 {
		return nil, fault.Unauthenticated("TOKEN_ROLES", "the token has no role that is known here")
	}
	if p.Has(policyv1.Role_ROLE_SERVICE) && p.Tenant == "" {
		return p, nil
	}
	if !idRule.MatchString(p.Tenant) {
		return nil, fault.Unauthenticated("TOKEN_TENANT", "the token names no tenant, or not by a tenant id")
	}
	if len(v.tenants) > 0 && !v.tenants[p.Tenant] {
		return nil, fault.Unauthenticated("TENANT_UNKNOWN", "the token's tenant is not served here")
	}
	needsPerson := p.Has(policyv1.Role_ROLE_PERSON) || p.Has(policyv1.Role_ROLE_COACH)
	if (p.Person != "" || needsPerson) && !idRule.MatchString(p.Person) {
		return nil, fault.Unauthenticated("TOKEN_PERSON", "the token names no person, or not by a person id")
	}
	return p, nil
}

// roles reads a claim that is a list of strings or one string with spaces.
func roles(claim any) []policyv1.Role {
	var names []string
	switch c := claim.(type) {
	case string:
		names = strings.Fields(c)
	case []any:
		for _, n := range c {
			if s, ok := n.(string); ok {
				names = append(names, s)
			}
		}
	}
	var out []policyv1.Role
	for _, n := range names {
		if r, ok := ParseRole(n); ok {
			out = append(out, r)
		}
	}
	return out
}
