module github.com/rebound-hq/rebound/services/goals

go 1.26.0
