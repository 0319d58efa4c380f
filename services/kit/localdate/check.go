package localdate

import (
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

// CheckZone finds a time zone by its IANA name. Errors are faults on the field.
func CheckZone(field, name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fault.Invalid(field, "TIME_ZONE_UNKNOWN", "must be an IANA time zone, such as Europe/Berlin")
	}
	return zone, nil
}
