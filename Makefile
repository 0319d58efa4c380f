# Everything a developer runs. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

MODULES := proto services/kit services/journal services/goals services/insights gateway tools
TOOLS := $(CURDIR)/.tools
export PATH := $(TOOLS):$(PATH)

# Pinned tools, installed as binaries into .tools.
BUF                   := github.com/bufbuild/buf/cmd/buf@v1.75.0
PROTOC_GEN_GO         := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
PROTOC_GEN_GO_GRPC    := google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
PROTOC_GEN_GATEWAY    := github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@v2.33.0
PROTOC_GEN_OPENAPI    := github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv3@v2.33.0
GOLANGCI_LINT         := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GEN_TOOLS  := $(BUF) $(PROTOC_GEN_GO) $(PROTOC_GEN_GO_GRPC) $(PROTOC_GEN_GATEWAY) $(PROTOC_GEN_OPENAPI)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: bin/rebound ## Build and start everything on embedded stores
	bin/rebound up

.PHONY: build
build: bin/rebound ## Build the rebound command to bin/rebound

.PHONY: bin/rebound
bin/rebound:
	go build -o bin/rebound ./tools/cmd/rebound

PACKAGES := $(foreach m,$(MODULES),./$(m)/...)

.PHONY: test
test: ## Run every test that needs nothing but Go
	MONGODB_URI= go test $(PACKAGES)

.PHONY: test-mongo
test-mongo: ## Run the MongoDB store's tests and the journeys on the server of MONGODB_URI
	@test -n "$$MONGODB_URI" || { echo "test-mongo: set MONGODB_URI to the URI of a MongoDB or compatible server" >&2; exit 1; }
	go test -count=1 -timeout 15m ./services/kit/store/mongo/... ./tools/e2e

.PHONY: test-race
test-race: ## Run the tests of concurrent code under the race detector
	go test -race -short ./services/kit/store/... ./services/kit/eventlog/... ./services/kit/rpc/... ./services/kit/access/... ./services/kit/queue/... ./services/insights/...

.PHONY: bench
bench: ## Run the benchmarks
	go test -run '^$$' -bench . $(PACKAGES)

.PHONY: tools
tools: $(TOOLS)/.stamp-$(shell echo '$(GEN_TOOLS) $(GOLANGCI_LINT)' | cksum | cut -d' ' -f1)

$(TOOLS)/.stamp-%:
	mkdir -p $(TOOLS) && rm -f $(TOOLS)/.stamp-*
	for t in $(GEN_TOOLS) $(GOLANGCI_LINT); do GOWORK=off GOFLAGS= GOBIN=$(TOOLS) go install "$$t"; done
	touch $@

.PHONY: gen
gen: tools ## Generate Go, gateway and OpenAPI code from proto/
	rm -rf .protodeps && mkdir -p .protodeps
	cd tools && go run ./protodeps $(CURDIR)/.protodeps
	buf generate
	cd tools && go run ./openapi $(CURDIR)/.protodeps/openapi $(CURDIR)/proto/gen/openapi/rebound.json

.PHONY: lint
lint: tools ## Lint protos and Go
	test -d .protodeps || $(MAKE) gen
	buf lint
	$(MAKE) breaking
	go vet $(PACKAGES)
	for m in $(MODULES); do (cd $$m && golangci-lint run ./...); done

# Against the last commit; on a clean checkout, which is one, against the one before.
.PHONY: breaking
breaking: tools ## Refuse changes to the protos that break clients
	base=HEAD; if git diff --quiet HEAD -- proto/rebound; then base=HEAD~1; fi; \
	if git rev-parse -q --verify "$$base" >/dev/null; then \
	  rm -rf .cache/breaking && mkdir -p .cache/breaking && \
	  git archive "$$base" buf.yaml proto/rebound | tar -x -C .cache/breaking && \
	  cp -r .protodeps .cache/breaking/ && buf breaking --against .cache/breaking; fi

.PHONY: tidy
tidy: ## Tidy every module
	go work sync
	for m in $(MODULES); do (cd $$m && GOWORK=off go mod tidy); done

.PHONY: build-alone
build-alone: ## Build every module without the workspace
	for m in $(MODULES); do (cd $$m && GOWORK=off go build ./...); done

.PHONY: ci
ci: ## Run what CI runs
	bash .ci/run
