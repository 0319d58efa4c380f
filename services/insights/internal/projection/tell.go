package projection

import (
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/kind"
	"github.com/rebound-hq/rebound/services/kit/ids"
)

// tell adds an insight, and gives the entry that remembers it. What makes it the one
// it is becomes its id: applied again, the same conclusion has the same name.
func (a *application) tell(in *insightsv1.Insight, identity ...string) *storagev1.ToldEntry {
	parts := append([]string{a.e.GetOwner(), in.GetKind().String()}, identity...)
	id := ids.Derived(parts...)
	if a.retractedBefore(id) {
		id = ids.Derived(append(parts, a.e.GetId())...)
	}
	in.Name = a.e.GetOwner() + "/insights/" + id
	if in.Subjects == nil {
		in.Subjects = []string{a.e.GetSubject()}
	}
	a.add(in)
	return a.remember(in)
}

// add adds an insight; its method is that of its kind.
func (a *application) add(in *insightsv1.Insight) {
	in.Time = timestamppb.New(a.told)
	traits := kind.Traits(in.GetKind())
	in.Method, in.MethodVersion = traits.GetMethod(), traits.GetMethodVersion()
	a.insights = append(a.insights, in)
}

// splitType cuts an event type into kind and verb.
func splitType(t string) (kind, verb string) {
	kind, verb, _ = strings.Cut(t, ".")
	return kind, verb
}
