package auth

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// Rules are the rules of a server's methods, read from their descriptors.
type Rules struct {
	methods map[string]*method // by full method, "/package.Service/Method"
}

type method struct {
	rule *policyv1.Rule
	path []protoreflect.FieldDescriptor // to the resource name
}

// LoadRules reads the rule of every method of the services. A method without a
// rule, or with one that cannot be enforced, is an error.
func LoadRules(services ...protoreflect.ServiceDescriptor) (*Rules, error) {
	r := &Rules{methods: map[string]*method{}}
	for _, sd := range services {
		for i := range sd.Methods().Len() {
			md := sd.Methods().Get(i)
			m, err := loadRule(md)
			if err != nil {
				return nil, fmt.Errorf("auth: %s: %w", md.FullName(), err)
			}
			r.methods["/"+string(sd.FullName())+"/"+string(md.Name())] = m
		}
	}
	return r, nil
}

func loadRule(md protoreflect.MethodDescriptor) (*method, error) {
	rule, _ := proto.GetExtension(md.Options(), policyv1.E_Rule).(*policyv1.Rule)
	if rule == nil || len(rule.GetAllow()) == 0 && !rule.GetAuthenticated() && !rule.GetPublic() {
		return nil, fmt.Errorf("it has no rule that lets anybody in")
	}
	if items := rule.GetItems(); items != "" {
		if fd := md.Input().Fields().ByName(protoreflect.Name(items)); fd == nil || !fd.IsList() {
			return nil, fmt.Errorf("its rule charges for %s, which is no list of %s", items, md.Input().FullName())
		}
	}
	m := &method{rule: rule}
	for _, a := range rule.GetAllow() {
		if policyv1.Role_name[int32(a.GetRole())] == "" || a.GetRole() == 0 ||
			policyv1.Relation_name[int32(a.GetRelation())] == "" || a.GetRelation() == 0 {
			return nil, fmt.Errorf("its rule has an unknown role or relation")
		}
		if a.GetRelation() != policyv1.Relation_RELATION_ANY && rule.GetResource() == "" {
			return nil, fmt.Errorf("its rule does not say which field names the resource")
		}
	}
	if rule.GetResource() == "" {
		return m, nil
	}
	at := md.Input()
	for _, segment := range strings.Split(rule.GetResource(), ".") {
		if at == nil || at.Fields().ByName(protoreflect.Name(segment)) == nil {
			return nil, fmt.Errorf("its rule names the field %s, which %s lacks", rule.GetResource(), md.Input().FullName())
		}
		fd := at.Fields().ByName(protoreflect.Name(segment))
		m.path, at = append(m.path, fd), fd.Message()
	}
	if last := m.path[len(m.path)-1]; last.Kind() != protoreflect.StringKind || last.IsList() {
		return nil, fmt.Errorf("its rule names the field %s, which is no string", rule.GetResource())
	}
	return m, nil
}

// Rule gives the rule of a full method.
func (r *Rules) Rule(fullMethod string) (*policyv1.Rule, bool) {
	m, ok := r.methods[fullMethod]
	if !ok {
		return nil, false
	}
	return m.rule, true
}

// Decision is how a caller was let in.
type Decision struct {
	// Owner is the person that the call is about, tenants/{tenant}/people/{person};
	// empty when it is about none.
	Owner string
	// Relation is what let the caller in; unspecified where every caller is.
	// RELATION_GRANTED is still to be backed by a grant of the owner to the caller.
	Relation policyv1.Relation
}

// Authorise says whether a principal may make a call, by its request. Errors
// are faults. What lies under another tenant or person is denied in the same
// words whether it exists or not.
func (r *Rules) Authorise(p *Principal, fullMethod string, req proto.Message) (Decision, error) {
	m, ok := r.methods[fullMethod]
	switch {
	case !ok:
		return Decision{}, fault.Denied("METHOD_UNKNOWN", "the method has no rule")
	case m.rule.GetPublic():
		return Decision{}, nil
	case p == nil:
		return Decision{}, fault.Unauthenticated("TOKEN_MISSING", "a token is required")
	case m.rule.GetAuthenticated():
		return Decision{}, nil
	}
	owner, tenant, wellFormed := m.target(req)
	inRole, granted := false, false
	for _, a := range m.rule.GetAllow() {
		if !p.Has(a.GetRole()) {
			continue
		}
		inRole = true
		switch {
		case a.GetRelation() == policyv1.Relation_RELATION_ANY,
			wellFormed && a.GetRelation() == policyv1.Relation_RELATION_TENANT && tenant == p.Tenant,
			wellFormed && a.GetRelation() == policyv1.Relation_RELATION_OWN && owner != "" && owner == p.Owner():
			return Decision{owner, a.GetRelation()}, nil
		case a.GetRelation() == policyv1.Relation_RELATION_GRANTED:
			granted = granted || wellFormed && owner != "" && tenant == p.Tenant && p.Person != "" && owner != p.Owner()
		}
	}
	switch {
	case granted:
		return Decision{owner, policyv1.Relation_RELATION_GRANTED}, nil
	case !inRole:
		return Decision{}, fault.Denied("ROLE_REQUIRED", "the caller's role does not allow this")
	case !wellFormed:
		return Decision{}, fault.Invalid(m.rule.GetResource(), "NAME_INVALID", "must begin with tenants/{tenant}, and people/{person} where a person's resource is meant")
	}
	return Decision{}, fault.Denied("ACCESS_DENIED", "there is nothing by that name that the caller may reach")
}

// Grantable tells whether some method lets readers in by a grant.
func (r *Rules) Grantable() bool {
	for _, m := range r.methods {
		for _, a := range m.rule.GetAllow() {
			if a.GetRelation() == policyv1.Relation_RELATION_GRANTED {
				return true
			}
		}
	}
	return false
}

// target gives the owner and the tenant that a request is about.
func (m *method) target(req proto.Message) (owner, tenant string, wellFormed bool) {
	if len(m.path) == 0 {
		return "", "", false
	}
	at := req.ProtoReflect()
	for _, fd := range m.path[:len(m.path)-1] {
		at = at.Get(fd).Message()
	}
	segments := strings.SplitN(at.Get(m.path[len(m.path)-1]).String(), "/", 5)
	if len(segments) < 2 || segments[0] != "tenants" || !idRule.MatchString(segments[1]) {
		return "", "", false
	}
	tenant = segments[1]
	if len(segments) == 2 {
		return "", tenant, true
	}
	if segments[2] != "people" { // the tenant's own, which is nobody's
		return "", tenant, true
	}
	if len(segments) < 4 || !idRule.MatchString(segments[3]) {
		return "", "", false
	}
	return strings.Join(segments[:4], "/"), tenant, true
}
