package share

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
)

// The times of a roster.
const (
	// TTL is how long a process that says nothing keeps its shares.
	TTL = 6 * time.Second
	// renewEach is how often one says that it is there.
	renewEach = 2 * time.Second
)

// round is what a member does to the roster each time it looks: those who have not
// said for long that they are there go, it says that it is, gives up what is more
// than its part, and takes what nobody has up to its part. Everybody counts parts
// alike: none is more than one share larger than another.
func round(r *storagev1.Roster, me string, shares int, now time.Time) {
	r.Members = slices.DeleteFunc(r.GetMembers(), func(m *storagev1.Member) bool {
		return m.GetId() != me && !m.GetExpireTime().AsTime().After(now)
	})
	i := slices.IndexFunc(r.GetMembers(), func(m *storagev1.Member) bool { return m.GetId() == me })
	if i < 0 {
		i = len(r.GetMembers())
		r.Members = append(r.Members, &storagev1.Member{Id: me})
	}
	mine := r.GetMembers()[i]
	if left := mine.GetExpireTime().AsTime().Sub(now); left <= TTL-renewEach || left > TTL {
		mine.ExpireTime = timestamppb.New(now.Add(TTL))
	}
	part := shares / len(r.GetMembers())
	if i < shares%len(r.GetMembers()) {
		part++
	}
	for s := int32(0); s < int32(shares) && len(mine.GetShares()) < part; s++ {
		if !slices.ContainsFunc(r.GetMembers(), func(m *storagev1.Member) bool { return slices.Contains(m.GetShares(), s) }) {
			mine.Shares = append(mine.Shares, s)
		}
	}
	mine.Shares = mine.GetShares()[:min(len(mine.GetShares()), part)]
}

// leave takes a member off the roster.
func leave(r *storagev1.Roster, me string) {
	r.Members = slices.DeleteFunc(r.GetMembers(), func(m *storagev1.Member) bool { return m.GetId() == me })
}

// held gives the shares of a member.
func held(r *storagev1.Roster, me string) []int32 {
	for _, m := range r.GetMembers() {
		if m.GetId() == me {
			return m.GetShares()
		}
	}
	return nil
}
