module github.com/rebound-hq/rebound/services/insights

go 1.26.0
