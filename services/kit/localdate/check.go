package localdate

import (
	"sync"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"

	"github.com/rebound-hq/rebound/services/kit/fault"
)

// CheckWhole says whether a date that a person gave exists; none is good. Errors
// are faults on the field.
func CheckWhole(field string, date *datepb.Date) error {
	if date != nil && !Valid(date) {
		return fault.Invalid(field, "DATE_INVALID", "must be a date that exists, with year, month and day")
	}
	return nil
}

// CheckNotInFuture says whether a date that a person gave exists and is not
// after today, where they are; none is good. Errors are faults on the field.
func CheckNotInFuture(field string, date, today *datepb.Date) error {
	if date == nil {
		return nil
	}
	if err := CheckWhole(field, date); err != nil {
		return err
	}
	if After(date, today) {
		return fault.Invalid(field, "DATE_IN_FUTURE", "must not be later than today, which is %s for this person", Text(today))
	}
	return nil
}

// zones are the time zones that were asked for, by name: there are some hundreds in
// all, and loading one reads a file.
var zones sync.Map

// CheckZone finds a time zone by its IANA name. Errors are faults on the field.
func CheckZone(field, name string) (*time.Location, error) {
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fault.Invalid(field, "TIME_ZONE_UNKNOWN", "must be an IANA time zone, such as Europe/Berlin")
	}
	zones.Store(name, zone)
	return zone, nil
}
