module github.com/rebound-hq/rebound/services/insights

go 1.26.0

replace github.com/rebound-hq/rebound/proto => ../../proto

replace github.com/rebound-hq/rebound/services/kit => ../kit

require (
	github.com/rebound-hq/rebound/proto v0.0.0
	github.com/rebound-hq/rebound/services/kit v0.0.0
)
