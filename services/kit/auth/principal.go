// Package auth says who calls and what they may: tokens are verified against
// an issuer's keys, and every RPC's rule, declared in its proto, is enforced in
// one place.
package auth

import (
	"context"
	"regexp"
	"slices"
	"time"

	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
)

// Principal is who calls.
type Principal struct {
	// Subject is the token's sub.
	Subject string
	// Tenant is empty for services.
	Tenant string
	// Person is empty for callers who are nobody's journal, such as pipelines.
	Person string
	Roles  []policyv1.Role
	// Expires is when the token ends.
	Expires time.Time
}

// Has tells whether the principal has a role.
func (p *Principal) Has(role policyv1.Role) bool { return slices.Contains(p.Roles, role) }

// Owner is what the principal owns: tenants/{tenant}/people/{person}; empty for
// those who are no person.
func (p *Principal) Owner() string {
	if p.Person == "" {
		return ""
	}
	return "tenants/" + p.Tenant + "/people/" + p.Person
}

// ID names the principal for rate limits and page tokens; it stays the same from
// token to token.
func (p *Principal) ID() string { return p.Tenant + "/" + p.Person + "/" + p.Subject }

type contextKey struct{}

// NewContext puts a principal into a context.
func NewContext(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext finds the principal of a call; false for calls that need none.
func FromContext(ctx context.Context) (*Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(*Principal)
	return p, ok
}

// idRule is the rule for tenant and person ids: they are parts of names.
var idRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

var roleNames = map[string]policyv1.Role{
	"person":   policyv1.Role_ROLE_PERSON,
	"coach":    policyv1.Role_ROLE_COACH,
	"analyst":  policyv1.Role_ROLE_ANALYST,
	"pipeline": policyv1.Role_ROLE_PIPELINE,
	"admin":    policyv1.Role_ROLE_ADMIN,
	"service":  policyv1.Role_ROLE_SERVICE,
}

// ParseRole reads a role as tokens write it, such as "person".
func ParseRole(name string) (policyv1.Role, bool) {
	r, ok := roleNames[name]
	return r, ok
}
