package eventlog_test

import (
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
)

// sumOfPositions looks into a resume token.
func sumOfPositions(r *rig, text string) (n int64, err error) {
	var token storagev1.ResumeToken
	err = r.sealer.Open("resume", text, &token)
	for _, p := range token.GetPositions() {
		n += p
	}
	return n, err
}
