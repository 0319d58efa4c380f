package projection

import (
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
)

// methodVersion is the version of all methods here; a method that changes what
// it says gets a new one.
const methodVersion = "1"

// tell adds an insight. What makes it the one it is becomes its id: applied
// again, the same conclusion has the same name.
func (a *application) tell(in *insightsv1.Insight, identity ...string) {
	parts := append([]string{a.e.GetOwner(), in.GetKind().String()}, identity...)
	in.Name = a.e.GetOwner() + "/insights/" + ids.Derived(parts...)
	in.Time = timestamppb.New(a.told)
	in.MethodVersion = methodVersion
	if in.Subjects == nil {
		in.Subjects = []string{a.e.GetSubject()}
	}
	a.insights = append(a.insights, in)
}

// splitType cuts an event type into kind and verb.
func splitType(t string) (kind, verb string) {
	kind, verb, _ = strings.Cut(t, ".")
	return kind, verb
}
