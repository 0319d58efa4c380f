package eventlog_test

import (
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
)

// TestShares: every event is in one share, those of one owner in the same, whatever
// the number of shares; what else is asked for holds within a share.
func TestShares(t *testing.T) {
	r := newRig(t)
	c := r.serve(time.Minute)
	r.publish(200)
	whole, _ := read(t, c, &eventsv1.StreamEventsRequest{}, historyEnd)
	for _, shares := range []int32{1, 2, 3, 4, 7} { // of 4 partitions
		var got []string
		shareOf := map[string]int32{}
		for share := range shares {
			events, _ := read(t, c, &eventsv1.StreamEventsRequest{Shares: shares, Share: share}, historyEnd)
			for _, e := range events {
				if before, ok := shareOf[e.GetOwner()]; ok && before != share {
					t.Errorf("%s is in shares %d and %d of %d", e.GetOwner(), before, share, shares)
				}
				shareOf[e.GetOwner()] = share
			}
			got = append(got, idsOf(events)...)
		}
		want := idsOf(whole)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%d shares have %d events, the log %d", shares, len(got), len(want))
		}
		one := whole[0].GetOwner()
		for share := range shares {
			events, _ := read(t, c, &eventsv1.StreamEventsRequest{Shares: shares, Share: share, OwnerPrefix: one}, historyEnd)
			if (len(events) > 0) != (shareOf[one] == share) {
				t.Errorf("share %d of %d has %d events of %s, who is in share %d", share, shares, len(events), one, shareOf[one])
			}
		}
	}
}

// TestSharesGoOn: a token of the whole log, as it was kept before there were shares,
// is good for each share, and that of a share for the whole log: nothing is missed.
func TestSharesGoOn(t *testing.T) {
	r := newRig(t)
	c := r.serve(time.Minute)
	r.publish(100)
	first, responses := read(t, c, &eventsv1.StreamEventsRequest{}, historyEnd)
	token := responses[len(responses)-1].GetNextToken()
	r.publish(100)
	seen := map[string]int{}
	for _, e := range first {
		seen[e.GetId()]++
	}
	for share := range int32(3) {
		events, responses := read(t, c, &eventsv1.StreamEventsRequest{Shares: 3, Share: share, ResumeToken: token}, historyEnd)
		for _, e := range events {
			seen[e.GetId()]++
		}
		rest, _ := read(t, c, &eventsv1.StreamEventsRequest{ResumeToken: responses[len(responses)-1].GetNextToken()}, historyEnd)
		if len(rest) != 100-len(events) {
			t.Errorf("after share %d with %d events the log has %d more, want %d", share, len(events), len(rest), 100-len(events))
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d of 200 events came", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s came %d times", id, n)
		}
	}
}

// TestShareOutOfRange: a share that there is not is refused, and a client that asks
// for one does not ask again.
func TestShareOutOfRange(t *testing.T) {
	r := newRig(t)
	c := r.serve(time.Minute)
	for _, row := range []struct{ share, shares int }{{1, 0}, {1, 1}, {8, 8}, {-1, 8}} {
		client := eventlog.NewClient(c, slog.New(slog.NewTextHandler(io.Discard, nil))).Share(row.share, row.shares)
		err := client.Run(t.Context(), "", nil)
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("share %d of %d: %v", row.share, row.shares, err)
		}
	}
}
