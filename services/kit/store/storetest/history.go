package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// register is what a history does to one record: read its value, or write a
// value over the revision that was read.
type register struct {
	write    bool
	value    int32
	revision int64
}

type outcome struct {
	value    int32
	revision int64
	conflict bool
}

type state struct {
	value    int32
	revision int64
}

// model is a register with compare-and-set on revisions that only grow.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[int][]porcupine.Operation{}
		for _, op := range history {
			key := op.Metadata.(int)
			by[key] = append(by[key], op)
		}
		var out [][]porcupine.Operation
		for _, ops := range by {
			out = append(out, ops)
		}
		return out
	},
	Init: func() any { return state{} },
	Step: func(s, in, out any) (bool, any) {
		st, op, res := s.(state), in.(register), out.(outcome)
		switch {
		case !op.write:
			return st.revision == 0 || res == outcome{value: st.value, revision: st.revision}, state{res.value, res.revision}
		case res.conflict:
			return st.revision == 0 || op.revision != st.revision, st
		}
		return (st.revision == 0 || op.revision == st.revision) && res.revision > op.revision, state{op.value, res.revision}
	},
}

// Linearizable records what many at once do to a few records and checks that it
// could have happened one after the other.
func Linearizable(t *testing.T, open Opener) {
	f := newFixture(t, open)
	const keys, each = 3, 25
	for k := range keys {
		f.insert(f.setback(ada, fmt.Sprintf("k%d", k), 0))
	}
	begun := time.Now()
	histories := make([][]porcupine.Operation, racers)
	race(racers, func(i int) {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		for range each {
			k := r.IntN(keys)
			name := fmt.Sprintf("%s/setbacks/k%d", ada, k)
			called := time.Since(begun).Nanoseconds()
			rec, err := f.store.Get(f.ctx(), setbacks, name)
			if err != nil {
				t.Error(err)
				return
			}
			histories[i] = append(histories[i], porcupine.Operation{
				ClientId: i, Metadata: k, Input: register{}, Call: called, Return: time.Since(begun).Nanoseconds(),
				Output: outcome{value: rec.Body.(*journalv1.Setback).GetIntensity(), revision: rec.Revision},
			})
			in := register{write: true, value: r.Int32N(1000), revision: rec.Revision}
			rec.Body = &journalv1.Setback{Name: name, Intensity: in.value}
			called = time.Since(begun).Nanoseconds()
			res := f.store.Commit(f.ctx(), store.Write{Op: store.Replace, Record: rec})[0]
			if res.Err != nil && !errors.Is(res.Err, store.ErrConflict) {
				t.Error(res.Err)
				return
			}
			histories[i] = append(histories[i], porcupine.Operation{
				ClientId: i, Metadata: k, Input: in, Call: called, Return: time.Since(begun).Nanoseconds(),
				Output: outcome{revision: res.Record.Revision, conflict: res.Err != nil},
			})
		}
	})
	var all []porcupine.Operation
	for _, h := range histories {
		all = append(all, h...)
	}
	if res := porcupine.CheckOperationsTimeout(model, all, 20*time.Second); res == porcupine.Illegal {
		t.Fatal("the history is not linearizable")
	} else if res == porcupine.Unknown {
		t.Fatal("the history could not be checked in time")
	}
}
