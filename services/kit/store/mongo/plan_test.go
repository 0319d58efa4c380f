package mongo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// shape is one find that the store sends.
type shape struct {
	name, collection string
	filter, sort     bson.D
	hint             string
	// index is the name of the index that must serve it.
	index string
}

func (x shape) command() bson.D {
	find := bson.D{{Key: "find", Value: x.collection}, {Key: "filter", Value: x.filter}, {Key: "limit", Value: 20}}
	if x.sort != nil {
		find = append(find, bson.E{Key: "sort", Value: x.sort})
	}
	if x.hint != "" {
		find = append(find, bson.E{Key: "hint", Value: x.hint})
	}
	return bson.D{{Key: "explain", Value: find}, {Key: "verbosity", Value: "queryPlanner"}}
}

// TestPlans: every query of documents and events is served by its index.
func TestPlans(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range 300 {
		owner := fmt.Sprintf("tenants/acme/people/p%d", i%10)
		f.insert(owner, fmt.Sprintf("s%03d", i), 1)
	}
	shapes := append(listShapes(f.store), otherShapes(f.store)...)
	for _, x := range shapes {
		t.Run(x.name, func(t *testing.T) {
			if err := f.judge(x); err != nil {
				t.Error(err)
			}
		})
	}
	unserved := shape{collection: "records", filter: bson.D{{Key: "body.title", Value: "x"}}, index: nameIndex}
	if err := f.judge(unserved); err == nil {
		t.Error("the judge finds nothing wrong with a scan")
	}
}

// listShapes gives each index up and down, with and without bounds and cursor.
func listShapes(s *Store) []shape {
	var out []shape
	value := func(k *kind, key string, n int) store.Value {
		switch {
		case k.KeyType(key) == store.Text:
			return fmt.Sprintf("tenants/acme/people/p%d", n)
		case key == store.KeyCreateTime || key == store.KeyUpdateTime:
			return start.Add(time.Duration(n) * time.Second).UnixMilli()
		}
		return int64(n)
	}
	for _, k := range s.kinds {
		for name, x := range k.indexes {
			declared, _ := k.Index(name)
			for variant := range 8 {
				q := store.Query{Kind: k.Name, Index: name, Descending: variant&1 != 0}
				for _, key := range declared.Keys[:len(declared.Keys)-1] {
					q.Prefix = append(q.Prefix, value(k, key, 3))
				}
				if variant&2 != 0 {
					q.From, q.Until = value(k, x.last, 1), value(k, x.last, 7)
				}
				if variant&4 != 0 {
					q.After = &store.Cursor{Key: value(k, x.last, 2), Name: "tenants/acme/people/p2/setbacks/s002"}
				}
				for i, part := range k.queries(q) {
					label := fmt.Sprintf("%s.%s/down=%v,bounds=%v,cursor=%v/%d", k.Name, name, variant&1 != 0, variant&2 != 0, variant&4 != 0, i)
					out = append(out, shape{name: label, collection: "records", filter: part.filter, sort: part.sort, hint: part.hint, index: x.name})
				}
			}
		}
	}
	return out
}

// otherShapes gives what is asked by name, by the relay and of the log.
func otherShapes(s *Store) []shape {
	k := s.kinds["setbacks"]
	return []shape{
		{name: "get", collection: "records", filter: k.byName("tenants/acme/people/p1/setbacks/s001"), index: nameIndex},
		{name: "batch", collection: "records", filter: k.byName(bson.D{{Key: "$in", Value: []string{"a", "b"}}}), index: nameIndex},
		{name: "fill", collection: "records", filter: inNameOrder(bson.A{"setbacks"}, "tenants/acme/people/p9"), sort: bson.D{{Key: "_id", Value: 1}}, hint: nameIndex, index: nameIndex},
		{name: "scan", collection: "records", filter: inPartitions([]int32{1, 2, 3}), index: "pending"},
		{name: "gather", collection: "records", filter: ofOwners([]int32{1, 2}, []string{"tenants/acme/people/p1", "tenants/acme/people/p2"}), index: "pending"},
		{name: "read", collection: "events", filter: after(3, 2), sort: byPosition, index: "position"},
		{name: "beyond", collection: "events", filter: beyond([]int64{70, 80, 75, 60}), index: "position"},
		{name: "end", collection: "events", filter: after(3, 0), sort: newest, index: "position"},
		{name: "trim", collection: "events", filter: toGo(3, 2), index: "position"},
		{name: "seek", collection: "events", filter: from(3, start), sort: byMaxTime, index: "max_time"},
		{name: "missing", collection: "events", filter: byIDs(3, []string{"a", "b"}), index: "id"},
	}
}

// judge explains a find and says what is wrong with its plan.
func (f fixture) judge(x shape) error {
	var plan bson.D
	if err := f.store.db.database.RunCommand(f.t.Context(), x.command()).Decode(&plan); err != nil {
		return err
	}
	used := map[string]bool{}
	if err := inspect(plan, used); err != nil {
		return fmt.Errorf("%w\n%v", err, plan)
	}
	if len(used) != 1 || (!used[x.index] && !used["*"]) {
		return fmt.Errorf("used %v, want %s\n%v", used, x.index, plan)
	}
	return nil
}

// inspect walks a plan, MongoDB's or that of DocumentDB on PostgreSQL, collects
// the indexes used and finds scans.
func inspect(plan any, used map[string]bool) error {
	switch v := plan.(type) {
	case bson.A:
		for _, each := range v {
			if err := inspect(each, used); err != nil {
				return err
			}
		}
	case bson.D:
		if err := inspectNode(v, used); err != nil {
			return err
		}
		for _, e := range v {
			if e.Key == "command" || e.Key == "IndexCosts" || e.Key == "IndexDetails" || e.Key == "rejectedPlans" {
				continue // what was asked, and what was considered
			}
			if err := inspect(e.Value, used); err != nil {
				return err
			}
		}
	}
	return nil
}

func inspectNode(node bson.D, used map[string]bool) error {
	text := map[string]string{}
	for _, e := range node {
		if s, ok := e.Value.(string); ok {
			text[e.Key] = s
		}
	}
	switch stage := text["stage"]; {
	case stage == "COLLSCAN" || stage == "SORT":
		return fmt.Errorf("stage %s", stage)
	case stage == "IDHACK" || strings.HasPrefix(stage, "EXPRESS"):
		used["*"] = true
	case stage == "IXSCAN":
		used[text["indexName"]] = true
	}
	name, condition := text["Index Name"], text["Index Cond"]
	switch {
	case strings.Contains(text["Node Type"], "Seq Scan"):
		return fmt.Errorf("node %s", text["Node Type"])
	case name == "_id_" && !strings.Contains(condition, "object_id"):
		return fmt.Errorf("all of the index over names: %s", condition)
	case name != "" && condition == "":
		return fmt.Errorf("all of the index %s", name)
	case name != "":
		used[name] = true
	}
	return nil
}
