package edge

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	cloudeventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/cloudevents/v1"
)

// Media types of CloudEvents 1.0. One event is for what is got and for the items of
// streams, a batch for lists.
const (
	eventJSON  = "application/cloudevents+json"
	eventProto = "application/cloudevents+protobuf"
	batchJSON  = "application/cloudevents-batch+json"
	batchProto = "application/cloudevents-batch+protobuf"
)

// attributes are what makes an item a CloudEvent, beside the item itself.
type attributes struct {
	id, source, kind, subject string
	// schema is the resource name of the schema of the data; "" for none.
	schema string
	time   *timestamppb.Timestamp
	// correction and corrects say what it does to which earlier item; "" for nothing.
	correction, corrects string
}

// eventsOf finds the feed that streams items of a message type: the same items are
// events in lists too.
func eventsOf(md protoreflect.MessageDescriptor) (feed, bool) {
	for _, f := range feeds {
		if md != nil && f.message == md.FullName() {
			return f, true
		}
	}
	return feed{}, false
}

// named tells whether a client asks for a media type by its name. A wildcard is no
// such wish: CloudEvents go to those who know of them.
func named(accept []string, want string) bool {
	for _, part := range strings.Split(strings.Join(accept, ","), ",") {
		t, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err == nil && t == want && params["q"] != "0" {
			return true
		}
	}
	return false
}

// origin is where the client sees this edge; names of schemas are relative to it.
func origin(r *http.Request) *url.URL {
	u := &url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		u.Scheme = "https"
	}
	return u
}

func schemaURI(at *url.URL, a attributes) string {
	if a.schema == "" {
		return ""
	}
	return at.JoinPath("v1", a.schema).String()
}

// structured is a CloudEvent in the JSON format, all but its data, which comes last.
type structured struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	DataSchema      string `json:"dataschema,omitempty"`
	Correction      string `json:"correction,omitempty"`
	Corrects        string `json:"corrects,omitempty"`
}

const specVersion = "1.0"

// appendEvent writes an item as a CloudEvent in the JSON format. The item is written
// where it belongs: it is by far the largest part, and to put it in through the
// encoder would be to read it all again.
func appendEvent(buf *bytes.Buffer, a attributes, at *url.URL, item proto.Message) error {
	head, err := json.Marshal(structured{
		SpecVersion: specVersion, ID: a.id, Source: a.source, Type: a.kind, Subject: a.subject, Time: a.time.AsTime().Format(time.RFC3339Nano),
		DataContentType: "application/json", DataSchema: schemaURI(at, a), Correction: a.correction, Corrects: a.corrects,
	})
	if err != nil {
		return err
	}
	buf.Write(head[:len(head)-1]) // without its end
	buf.WriteString(`,"data":`)
	if err := appendJSON(buf, item); err != nil {
		return err
	}
	buf.WriteByte('}')
	return nil
}

// protoEvent is an item as a CloudEvent in the protobuf format.
func protoEvent(f feed, at *url.URL, item proto.Message) (*cloudeventsv1.CloudEvent, error) {
	data, err := anypb.New(item)
	if err != nil {
		return nil, err
	}
	a := f.attributes(item)
	text := func(s string) *cloudeventsv1.CloudEventAttributeValue {
		return &cloudeventsv1.CloudEventAttributeValue{Attr: &cloudeventsv1.CloudEventAttributeValue_CeString{CeString: s}}
	}
	out := &cloudeventsv1.CloudEvent{
		Id: a.id, Source: a.source, SpecVersion: specVersion, Type: a.kind, Data: &cloudeventsv1.CloudEvent_ProtoData{ProtoData: data},
		Attributes: map[string]*cloudeventsv1.CloudEventAttributeValue{
			"subject": text(a.subject), "datacontenttype": text("application/protobuf"),
			"time": {Attr: &cloudeventsv1.CloudEventAttributeValue_CeTimestamp{CeTimestamp: a.time}},
		},
	}
	if schema := schemaURI(at, a); schema != "" {
		out.Attributes["dataschema"] = &cloudeventsv1.CloudEventAttributeValue{Attr: &cloudeventsv1.CloudEventAttributeValue_CeUri{CeUri: schema}}
	}
	for name, value := range map[string]string{"correction": a.correction, "corrects": a.corrects} {
		if value != "" {
			out.Attributes[name] = text(value)
		}
	}
	return out, nil
}

// eventAnswer is how a call that gives items answers in CloudEvents.
type eventAnswer struct {
	feed feed
	// list is the field of the answer that holds the items; nil when the answer is
	// the item.
	list      protoreflect.FieldDescriptor
	mediaType string
}

// asEvents tells whether the client asks for the answer of a route as CloudEvents,
// and the route can give it.
func asEvents(accept []string, to route) (eventAnswer, bool) {
	if to.output == nil || !strings.Contains(strings.ToLower(strings.Join(accept, ",")), "cloudevents") {
		return eventAnswer{}, false
	}
	a, one, other := eventAnswer{}, batchJSON, batchProto
	var ok bool
	if a.feed, ok = eventsOf(to.output); ok {
		one, other = eventJSON, eventProto
	} else {
		for i := range to.output.Fields().Len() {
			if fd := to.output.Fields().Get(i); fd.IsList() && !ok {
				a.feed, ok = eventsOf(fd.Message())
				a.list = fd
			}
		}
	}
	for _, t := range []string{one, other} {
		if a.mediaType = t; ok && named(accept, t) {
			return a, true
		}
	}
	return eventAnswer{}, false
}

// serve makes events of what a call answers. The next page of a list is in the header
// Link, since a batch has no room for it.
func (a eventAnswer) serve(w http.ResponseWriter, r *http.Request, next http.Handler, output protoreflect.MessageDescriptor) {
	g := &gathered{ResponseWriter: w, status: http.StatusOK}
	next.ServeHTTP(g, r)
	text := g.body.Bytes()
	if g.status == http.StatusOK {
		var err error
		if text, err = a.events(w.Header(), r, output, text); err != nil {
			newProblem(r.Context(), http.StatusInternalServerError, codes.Internal, "INTERNAL", "something went wrong on our side").write(w)
			return
		}
		w.Header().Set("Content-Type", a.mediaType)
	}
	w.WriteHeader(g.status)
	_, _ = w.Write(text) //nolint:gosec // JSON or protobuf, which no browser runs; a client that has gone is no concern of ours
}

func (a eventAnswer) events(h http.Header, r *http.Request, output protoreflect.MessageDescriptor, text []byte) ([]byte, error) {
	typ, err := protoregistry.GlobalTypes.FindMessageByName(output.FullName())
	if err != nil {
		return nil, err
	}
	answer := typ.New()
	if err := protojson.Unmarshal(text, answer.Interface()); err != nil {
		return nil, err
	}
	items := []proto.Message{answer.Interface()}
	if a.list != nil {
		items = nil
		for list, i := answer.Get(a.list).List(), 0; i < list.Len(); i++ {
			items = append(items, list.Get(i).Message().Interface())
		}
		if fd := output.Fields().ByName("next_page_token"); fd != nil && answer.Get(fd).String() != "" {
			q := r.URL.Query()
			q.Set("pageToken", answer.Get(fd).String())
			h.Set("Link", "<?"+q.Encode()+`>; rel="next"`)
		}
	}
	if a.mediaType == eventProto || a.mediaType == batchProto {
		return a.binary(origin(r), items)
	}
	return a.text(origin(r), items)
}

func (a eventAnswer) text(at *url.URL, items []proto.Message) ([]byte, error) {
	var buf bytes.Buffer
	for i, item := range items {
		if i > 0 {
			buf.WriteByte(',')
		}
		if err := appendEvent(&buf, a.feed.attributes(item), at, item); err != nil {
			return nil, err
		}
	}
	if a.list == nil {
		return buf.Bytes(), nil
	}
	return []byte("[" + buf.String() + "]"), nil
}

func (a eventAnswer) binary(at *url.URL, items []proto.Message) ([]byte, error) {
	batch := &cloudeventsv1.CloudEventBatch{}
	for _, item := range items {
		event, err := protoEvent(a.feed, at, item)
		if err != nil {
			return nil, err
		}
		batch.Events = append(batch.Events, event)
	}
	if a.list == nil {
		return proto.Marshal(batch.GetEvents()[0])
	}
	return proto.Marshal(batch)
}
