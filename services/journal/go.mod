module github.com/rebound-hq/rebound/services/journal

go 1.26.0
