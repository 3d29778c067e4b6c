# Two modules, built as `go install` would build them: the root, and dev/ with the Temporal server. `make` prints the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export GOWORK := off

BIN     := $(CURDIR)/.rolecall/bin
SOURCES := find . -name '*.go' -not -path './.rolecall/*' -not -path '*/testdata/*'

# The tools of `make check`, pinned and built from source into .rolecall/bin.
GOLANGCI      := $(BIN)/golangci-lint-v2.15.0
WORKFLOWCHECK := $(BIN)/workflowcheck-v0.6.0
GOVULNCHECK   := $(BIN)/govulncheck-v1.8.0

# The coding agents of `make agents-test`.
PI_VERSION := 0.73.1
PI         := .rolecall/agents/pi-$(PI_VERSION)

# PKG chooses packages of one module: ./sdk/... of the root, ./dev/... of dev. T chooses tests by name.
ROOT_PKG := $(if $(PKG),$(filter-out ./dev%,$(PKG)),./...)
DEV_PKG  := $(if $(PKG),$(patsubst ./dev%,.%,$(filter ./dev%,$(PKG))),$$(go list ./... | grep -vE '/dev/(temporal|cmd/rolecall-dev)$$'))
# What links the Temporal server is tested without the race detector, so that the server is compiled once.
SERVER_PKG := $(if $(PKG),,./temporal ./cmd/rolecall-dev)
# A program with the race detector would rest a second before it exits, for races that show only then.
GO_TEST   = GORACE="atexit_sleep_ms=0 $${GORACE:-}" go test -race -shuffle=on $(if $(T),-run '$(T)') $(ARGS)

.PHONY: help build dev demo bench check fmt vet lint workflowcheck vuln tidy test soak histories fuzz agents-test clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build rolecall and rolecall-dev into .rolecall/bin (minutes with an empty build cache: Temporal's server)
	go build -o $(BIN)/rolecall ./cmd/rolecall
	@test -x $(BIN)/rolecall-dev || echo "Building rolecall-dev: with an empty build cache this compiles the Temporal server, about 5 minutes on two cores."
	go build -C dev -o $(BIN)/rolecall-dev ./cmd/rolecall-dev

dev: build ## run everything on this machine until Ctrl-C; state is kept in .rolecall/data
	@exec $(BIN)/rolecall-dev

demo: $(if $(filter pi,$(AGENT)),$(PI)) build ## have a plan of four steps done by agents, sent back once by its reviewer, show it, replay its events and exit (KEEP=1 leaves it up, AGENT=pi takes the real pi)
	@AGENT='$(AGENT)' go run -C dev ./cmd/rolecall-demo

bench: build ## measure what a task costs beside the bare engine, about 5 minutes (BENCH="-rounds 2 -json file", -help lists all; BENCH="-events": the event log)
	@go build -C dev -o $(BIN)/rolecall-bench ./cmd/rolecall-bench
	@$(BIN)/rolecall-bench $(BENCH)

check: fmt vet lint workflowcheck tidy vuln ## everything that is checked without running it

fmt: ## gofmt
	@unformatted=$$($(SOURCES) -print0 | xargs -0 gofmt -l); test -z "$$unformatted" || { echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; }

vet: ## go vet, both modules
	go vet ./...
	go -C dev vet ./...

lint: $(GOLANGCI) ## golangci-lint, both modules
	$(GOLANGCI) run ./...
	cd dev && $(GOLANGCI) run --config ../.golangci.yml ./...

workflowcheck: $(WORKFLOWCHECK) ## look for what is not deterministic in workflows
	$(WORKFLOWCHECK) -config workflowcheck.config.yaml ./workflows/...

tidy: ## go.mod and go.sum are what go mod tidy would write
	go mod tidy -diff
	go -C dev mod tidy -diff

vuln: $(GOVULNCHECK) ## known vulnerabilities, where the database can be had
	@for module in . dev; do out=$$($(GOVULNCHECK) -C $$module ./... 2>&1) && echo "govulncheck $$module: none" || { code=$$?; \
		if [ $$code != 3 ] && grep -q 'fetching vulnerabilities' <<<"$$out"; then echo "govulncheck $$module: NOT CHECKED, the database at vuln.go.dev cannot be reached"; \
		else echo "$$out"; exit $$code; fi; }; done

test: ## every test of both modules with the race detector (T=name, PKG=./sdk/... or ./dev/..., ARGS=flags)
	@$(if $(ROOT_PKG),$(GO_TEST) -timeout 10m $(ROOT_PKG))
	@$(if $(DEV_PKG),cd dev && $(GO_TEST) -timeout 15m $(DEV_PKG))
	@$(if $(SERVER_PKG),cd dev && go test -shuffle=on $(if $(T),-run '$(T)') $(ARGS) $(SERVER_PKG))

soak: ## the tests against real processes over and over (N=10 times), then 10000 tasks, 5000 by 100 agents over HTTP, two minutes of kills, a log that is away for 30 s twice, 1000 idle sessions, 1000 parents that are cancelled while they delegate, 50 tasks that address an agent with a backlog of 500, a session of 1200 tasks and a plan of 30 steps under which everything is restarted, 3000 random plans and 1000 random stories of such, 100 plans of ten steps at once beside 1000 plain tasks, and agents that print 100 MB
	@for i in $$(seq $(or $(N),10)); do (cd dev && $(GO_TEST) -count=1 -timeout 15m ./e2e .) || exit 1; done
	cd dev && go test -race -count=1 -timeout 30m -v -run 'ManyTasksByPages|OneCallerDoesNotHoldUpAnother' -parallel 1 ./e2e -many 10000
	cd dev && go test -race -count=1 -timeout 30m -v -run 'TestManyAgentsOverHTTP|TestTwoServersShareLeases' -parallel 1 ./e2e -many 5000 -http-agents 100
	cd dev && go test -race -count=1 -timeout 30m -v -run 'TestChaos$$' ./e2e -chaos 2m
	cd dev && go test -race -count=1 -timeout 10m -v -run TheLogGoesAway ./e2e -log-away 30s
	cd dev && go test -race -count=1 -timeout 10m -v -run TestIdleSessionsCostLittle ./e2e -idle-sessions 1000
	cd dev && go test -race -count=1 -timeout 30m -v -run 'TestAParentIsCancelledWhileItDelegates|TestAnAddressedTaskWaitsForOneOther' -parallel 1 ./e2e -delegating 1000 -addressing 50 -backlog 500
	cd dev && go test -race -count=1 -timeout 90m -v -run 'TestSessionOutlivesRestarts$$' ./e2e -session-tasks 1200 -session-kills 18
	cd dev && go test -race -count=1 -timeout 15m -v -run 'TestPlanOutlivesRestarts$$' ./e2e -plan-kills 6
	cd dev && go test -race -count=1 -timeout 30m -v -run TestManyPlansBesideAsManyTasks ./e2e -plans 100 -plan-rounds 2
	go test -race -count=1 -timeout 30m -run 'FuzzPlanCourse|TestPlan_TellsOneStory' ./workflows -random-plans 3000 -plan-stories 1000
	go test -count=1 -timeout 10m -v -run TestALongStreamTakesLittleMemory ./sdk/transcript -stream-mb 100

histories: ## record the kept workflow histories anew from a real server; read the diff
	cd dev && go test -count=1 -run Histories ./e2e -record

fuzz: ## every fuzz test for a short time (FUZZTIME=10s each)
	@for file in $$(grep -rl --include='*_test.go' '^func Fuzz' . ); do for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
		dir=$$(dirname $$file); echo "$$dir $$name"; go test -C $$dir -run '^$$' -fuzz "^$$name\$$" -fuzztime $(or $(FUZZTIME),10s) .; done; done

agents-test: $(PI) ## install the real coding agents from npm into .rolecall/agents and run them against a scripted model
	cd dev && go test -tags agents -count=1 $(if $(T),-run '$(T)') $(ARGS) ./agents
	cd dev && go test -tags agents -count=1 -run '$(or $(T),Pi)' $(ARGS) ./cmd/rolecall-demo

$(PI):
	@command -v npm >/dev/null || { echo "npm was not found: pi needs Node.js 20.6 or newer with npm, see https://nodejs.org"; exit 1; }
	npm install --prefix .rolecall/agents --no-audit --no-fund --loglevel=error @mariozechner/pi-coding-agent@$(PI_VERSION)
	@touch $@

clean: ## remove binaries and tools; state in .rolecall/data stays
	rm -rf $(BIN)

$(GOLANGCI): ; $(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
$(WORKFLOWCHECK): ; $(call install,go.temporal.io/sdk/contrib/tools/workflowcheck)
$(GOVULNCHECK): ; $(call install,golang.org/x/vuln/cmd/govulncheck)

# install builds a tool at the version at the end of its target's name.
install = tmp=$$(mktemp -d) && GOFLAGS= GOBIN=$$tmp go install $(1)@v$(lastword $(subst -v, ,$@)) && mkdir -p $(BIN) && mv $$tmp/* $@ && rmdir $$tmp
