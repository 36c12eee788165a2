# Everything that people and CI do here. `make` or `make help` lists it.

TOOL    := go tool -modfile=.tools/go.mod
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
BUILD   := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

# Deliveries to this machine are allowed when you try Reprise out.
LOCAL   := REPRISE_EGRESS_ALLOW="$${REPRISE_EGRESS_ALLOW:-127.0.0.0/8,::1/128}"

.DEFAULT_GOAL := help
.PHONY: help run demo build test cover check generated generate fmt lint vuln bench torture clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build and start with SQLite and the embedded Redis; deliveries to this machine are allowed
	@$(LOCAL) exec bin/reprise serve

demo: build ## The same with sample sources, endpoints and events, in a database of its own
	@$(LOCAL) DATABASE_URL="$${DATABASE_URL:-sqlite://data/demo.db}" exec bin/reprise serve --demo

build: ## Build bin/reprise, one static binary
	@$(BUILD) -o bin/reprise ./web

test: ## Set up what the tests need (PostgreSQL, Redis, Chromium) and run them all
	@.ci/setup
	@.ci/packages $(TESTFLAGS)

cover: ## Run the tests and write coverage.out and its summary
	@.ci/setup
	@go run ./db/dbtest/with go test -coverpkg=./... -coverprofile=coverage.out ./...
	@go tool cover -func=coverage.out | tail -n 1

check: ## All that must hold before a change goes in
	@$(MAKE) --no-print-directory generated lint vuln test build

generated: ## Fail if a generated file is not what `make generate` makes
	@.ci/generated

generate: ## Make *_templ.go and static/app.css anew (needs Node.js)
	@.ci/generate

fmt: ## Format Go and templ files
	$(TOOL) golangci-lint fmt
	$(TOOL) templ fmt views

lint: ## Check style, formatting and the import arrows
	$(TOOL) golangci-lint run
	@! git grep -nE 'templ\.(Raw|SafeURL|JSUnsafeFuncCall)' -- '*.templ' || { echo 'nothing of a payload is ever markup' >&2; exit 1; }

vuln: ## Look for known vulnerabilities in what the code calls
	@.ci/vuln

bench: build ## Measure throughput, latency, CPU and memory on this machine, beside a bare pipeline; JSON on stdout
	@$(BUILD) -o bin/bench ./web/bench
	@bin/bench run $(BENCHFLAGS)

torture: build ## Let processes, servers and endpoints fail, for real and in SEEDS=10000 simulations, and check that nothing is lost or repeated
	@$(BUILD) -o bin/torture ./web/torture
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS) -X main.clockError=20s' -o bin/reprise-ahead ./web
	@bin/torture $(TORTUREFLAGS)
	@.ci/simulation $(or $(SEEDS),10000)

clean: ## Remove what was built (not the data)
	rm -rf bin coverage.out
