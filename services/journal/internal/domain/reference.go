package domain

import (
	"strings"

	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// personsGoal checks the shape of a goal's name and whose it is.
func personsGoal(field, owner, name string) error {
	segments := strings.Split(name, "/")
	if len(segments) != 6 || segments[4] != "goals" || segments[5] == "" {
		return fault.Invalid(field, "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}/goals/{goal}")
	}
	if resource.Owner(name) != owner {
		return fault.Invalid(field, "REFERENCE_FOREIGN", "must name a resource of the same person")
	}
	return nil
}
