# make run    builds everything and starts ingot serve
# make test   installs what the tests need and runs all of them
# The other targets are parts of these two, or measure.

GO      ?= go
BIN     := bin
WASM    := js/dist/engine.wasm
MCP     := js/dist/mcp.wasm
VENV    := .cache/clients-venv
NPM     := npm install --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error
ONLY    ?=
FLAGS   ?=
SOAK    ?= 10m
FUZZ    ?= 5m
CRASH   ?= 1

# Where the tests have npm packages of their own. None is committed with a lock
# file; package.json pins exact versions.
NODE_DIRS := js js/environments js/environments/node22 conformance conformance/clients/node conformance/official web/test

.PHONY: run test build wasm js-build tools node-deps clients-deps conformance soak soak-engine crash fuzz bench-mcp bench-http bench-engine bench-hash bench-durability bench-sandbox bench-forge bench-redis bench-js bench-scale bench-operate release clean help

help: ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: build ## build, then serve the page and MCP on 127.0.0.1:7070
	@echo "== starting ingot serve (Ctrl-C ends it)"
	@$(BIN)/ingot serve

test: tools node-deps clients-deps build ## install what the tests need and run all of them
	@$(GO) run ./internal/testall $(if $(ONLY),-only $(ONLY))

build: wasm ## build the commands into bin/, with the page's engine.wasm inside
	@echo "== building bin/ingot, bin/mcp-stdio, bin/wasm-host"
	@$(GO) build -trimpath -o $(BIN)/ ./cmd/...

wasm: $(WASM) $(MCP) ## build js/dist/engine.wasm and mcp.wasm: the engine and the MCP core as wasip1 reactors

$(WASM): go.mod $(wildcard wasm/*.go wasm/*.s engine/*.go engine/storage/*.go hash/*.go internal/invariant/*.go internal/message/*.go wasm/slim/*.go)
	@echo "== building $(WASM)"
	@GOOS=wasip1 GOARCH=wasm $(GO) build -trimpath -buildmode=c-shared -ldflags="-s -w" -o $@ ./wasm
	@$(GO) run ./wasm/slim $@

$(MCP): go.mod $(wildcard wasm/mcp/*.go wasm/mcp/hoststate/*.go internal/statetools/*.go mcp/*.go mcp/seal/*.go state/*.go engine/*.go wasm/slim/*.go)
	@echo "== building $(MCP)"
	@GOOS=wasip1 GOARCH=wasm $(GO) build -trimpath -buildmode=c-shared -ldflags="-s -w" -o $@ ./wasm/mcp
	@$(GO) run ./wasm/slim $@

js-build: wasm ## build js/build: the npm package's CommonJS modules and ./inline
	@cd js && { test -d node_modules/typescript || $(NPM); } && npm run --silent build

tools: ## install what the tests need beside Go and Node (Debian's packages, and wazero's command)
	@sh .ci/tools.sh
	@$(GO) build -o $(BIN)/wazero github.com/tetratelabs/wazero/cmd/wazero

node-deps: ## install the npm packages of the tests
	@for dir in $(NODE_DIRS); do \
		echo "== npm packages of $$dir"; \
		(cd $$dir && $(NPM)) || exit 1; \
	done

clients-deps: $(VENV)/installed ## install the Python SDK that clients are tried with, in a virtual environment

$(VENV)/installed: conformance/clients/python/requirements.txt
	@echo "== Python packages of conformance/clients/python"
	@if command -v python3 >/dev/null 2>&1; then \
		python3 -m venv $(VENV) && \
		$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $< && touch $@; \
	else \
		echo "   python3 is not installed; its client's test is skipped"; \
	fi

conformance: wasm ## run the conformance scripts on every build: native, wazero, Node, Chromium
	@echo "== native and wazero" && $(GO) test ./conformance
	@cd conformance && $(NPM)
	@echo "== Node and Chromium" && cd conformance && npm test --silent

soak: build ## call, edit, kill and restart servers with every kind of tool for 10 minutes (SOAK=1h for longer), and count
	@$(GO) run ./conformance/soak -duration $(SOAK)

soak-engine: ## run the engine's churn test for 10 minutes (SOAK=1h for longer), then compare all of its contents
	@INGOT_SOAK=$(SOAK) $(GO) test ./engine -run '^TestSuite$$/^soak$$' -v -count=1 -timeout 0

crash: ## simulate power failures and kill processes for an hour and more, 500 kills among them (CRASH=20m ends each test after that long)
	@INGOT_SOAK=$(CRASH) $(GO) test ./engine/crashtest -v -count=1 -timeout 0

fuzz: ## fuzz the engine's index, its files and the HTTP transports for 5 minutes each (FUZZ=1h for longer)
	@for target in engine/FuzzIndex engine/FuzzLogRecord engine/FuzzLogBlocks engine/FuzzLogFile \
		mcp/streamable/FuzzRequest mcp/streamable/FuzzWire mcp/websocket/FuzzFrames mcp/websocket/FuzzHandshake; do \
		$(GO) test ./$${target%/*} -run '^$$' -fuzz "^$${target##*/}$$" -fuzztime $(FUZZ) -fuzzminimizetime 10x || exit 1; \
	done

bench-mcp: ## measure MCP servers over stdio side by side (6 minutes; writes docs/BENCHMARKS.md)
	@$(GO) -C bench run ./mcp $(FLAGS)

bench-engine: ## measure the engine against other maps and stores (writes docs/BENCHMARKS.md)
	@$(GO) -C bench run ./engine $(FLAGS)

bench-http: ## measure MCP servers over streamable HTTP side by side (5 minutes; writes docs/BENCHMARKS.md)
	@cd bench/mcp/peers/ts && $(NPM)
	@$(GO) -C bench run ./http $(FLAGS)

bench-hash: ## measure the hash against its peers (writes docs/BENCHMARKS.md)
	@$(GO) -C bench run ./hash $(FLAGS)

bench-durability: ## measure durable stores side by side (writes docs/BENCHMARKS.md)
	@$(GO) -C bench run ./durability $(FLAGS)

bench-sandbox: ## measure wasm tools beside plain wazero and Extism (writes docs/BENCHMARKS.md)
	@$(GO) -C bench run ./sandbox $(FLAGS)

bench-forge: ## measure servers of a forge.yaml beside the bare core and a bare HTTP client (writes docs/BENCHMARKS.md)
	@$(GO) -C bench run ./forge $(FLAGS)

bench-redis: ## measure state on redis beside bare rueidis (writes docs/BENCHMARKS.md)
	@$(GO) -C bench run ./redis $(FLAGS)

bench-js: js-build ## compare the npm package with other stores of Node (3 minutes; writes docs/BENCHMARKS.md)
	@for dir in js/environments js/environments/node22; do (cd $$dir && $(NPM)) || exit 1; done
	@$(GO) -C bench run ./js $(FLAGS)

bench-scale: ## measure what a server costs as what it holds grows, and one to three servers on one Redis (writes docs/BENCHMARKS.md)
	@$(GO) -C bench run ./scale $(FLAGS)

release: wasm ## make the archives of a release in dist/ (VERSION=v1.2.3; TARGETS=linux/amd64 for fewer), with SHA256SUMS
	@test -n "$(VERSION)" || { echo "which version? make release VERSION=v1.2.3"; exit 2; }
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null)} $(GO) run ./internal/release -version $(VERSION) -out dist $(if $(TARGETS),-targets $(TARGETS))

bench-operate: ## measure what metrics, traces and a record cost a server (writes docs/BENCHMARKS.md)
	@$(GO) -C bench run ./operate $(FLAGS)

clean: ## remove what was built
	rm -rf js/build dist $(BIN) $(VENV) $(WASM) $(MCP)
