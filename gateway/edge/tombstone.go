package edge

import (
	"bytes"
	"net/url"

	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
)

// tombstoneType is the type of the CloudEvents that carry tombstones.
const tombstoneType = "dev.rebound.tombstone.v1"

// tombstoneLine writes a tombstone as an object of its own.
func tombstoneLine(buf *bytes.Buffer, m proto.Message) error {
	buf.WriteString(`{"tombstone":`)
	err := appendJSON(buf, m)
	buf.WriteByte('}')
	return err
}

// tombstoneEvent writes tombstones as CloudEvents.
func tombstoneEvent(at *url.URL) itemWriter {
	return func(buf *bytes.Buffer, m proto.Message) error {
		t := m.(*insightsv1.Tombstone)
		return appendEvent(buf, attributes{
			id: ids.Derived(t.GetPerson(), tombstoneType), source: "rebound/insights", kind: tombstoneType, subject: t.GetPerson(), time: t.GetTime(),
		}, at, m)
	}
}

// ending is what all responses have of streams that begin with snapshots, and tell of
// people who were erased.
type ending interface {
	GetSnapshotEnd() bool
	GetTombstones() []*insightsv1.Tombstone
}

// addEnding takes over what only such responses have.
func addEnding(b *batch, res any) {
	of, ok := res.(ending)
	if !ok {
		return
	}
	b.snapshotEnd = of.GetSnapshotEnd()
	for _, t := range of.GetTombstones() {
		b.gone = append(b.gone, t)
	}
}
