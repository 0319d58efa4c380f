module github.com/rebound-hq/rebound/gateway

go 1.26.0
