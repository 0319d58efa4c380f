// Package kind is what there is to know about the kinds of insights: how they are
// concluded, and what they look like.
package kind

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// Traits gives what the proto says about a kind; nil for UNSPECIFIED.
func Traits(k insightsv1.InsightKind) *insightsv1.KindTraits {
	value := k.Descriptor().Values().ByNumber(k.Number())
	if value == nil {
		return nil
	}
	traits, _ := proto.GetExtension(value.Options(), insightsv1.E_Traits).(*insightsv1.KindTraits)
	return traits
}

// Schemas are the schemas of all kinds. They do not change while a program runs.
type Schemas struct{ all []*insightsv1.InsightSchema }

// NewSchemas draws the schemas up.
func NewSchemas() (*Schemas, error) {
	s := &Schemas{}
	kinds := insightsv1.InsightKind(0).Descriptor().Values()
	for i := range kinds.Len() {
		k := insightsv1.InsightKind(kinds.Get(i).Number())
		traits := Traits(k)
		if traits == nil {
			continue
		}
		doc, err := structpb.NewStruct(jsonSchema(k, traits))
		if err != nil {
			return nil, err
		}
		s.all = append(s.all, &insightsv1.InsightSchema{
			Name: traits.GetSchema(), Kind: k, Version: traits.GetSchemaVersion(), EventType: traits.GetEventType(),
			Method: traits.GetMethod(), MethodVersion: traits.GetMethodVersion(), JsonSchema: doc,
		})
	}
	return s, nil
}

// List implements InsightSchemaService.ListInsightSchemas.
func (s *Schemas) List(context.Context, *insightsv1.ListInsightSchemasRequest) (*insightsv1.ListInsightSchemasResponse, error) {
	return &insightsv1.ListInsightSchemasResponse{InsightSchemas: s.all}, nil
}

// Get implements InsightSchemaService.GetInsightSchema.
func (s *Schemas) Get(_ context.Context, req *insightsv1.GetInsightSchemaRequest) (*insightsv1.InsightSchema, error) {
	for _, schema := range s.all {
		if schema.GetName() == req.GetName() {
			return schema, nil
		}
	}
	id, ok := strings.CutPrefix(req.GetName(), "insightSchemas/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return nil, fault.Invalid("name", "NAME_INVALID", "must have the form insightSchemas/{insight_schema}")
	}
	return nil, fault.NotFound(req.GetName())
}
