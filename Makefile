# All tasks of this project. `make dev` is where to begin: it installs what is missing and starts everything.
#
# ARGS is handed on: make dev ARGS="--public-addr 127.0.0.1:9000", make test ARGS=idempotency, make bench ARGS=--quick

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
CONNECTORS := connectors/mock
# Tests abort hosts at named points; no other build can do that.
FAULTS := --features interlock/fault-points
# Tests of events on their way out, which are run a second time without wake-ups.
POLLED := outbox:: events:: deliveries:: delivery_ redeliveries:: receiving:: webhook_endpoints:: sinks \
	crashes::before_published crashes::after_published crashes::after_sink_published crashes::before_deliver crashes::after_deliver

.DEFAULT_GOAL := build
.PHONY: setup build dev test chaos bench check

setup: ## installs what is missing, for all that follows
	@.ci/setup build postgres test check

build: ## target/release/interlock, target/release/interlock-simulator, target/connectors/*.wasm
	@.ci/setup build
	$(CARGO) build --release -p interlock -p interlock-simulator
	$(TARGET)/release/interlock connector build $(CONNECTORS) --out $(TARGET)/connectors

dev: ## Postgres (or DATABASE_URL), gateway simulator and host with a merchant, until Ctrl-C; kept in ./.interlock
	@.ci/setup build $(if $(DATABASE_URL),,postgres)
	$(CARGO) build -p interlock -p interlock-simulator
	$(TARGET)/debug/interlock connector build $(CONNECTORS) --out $(TARGET)/connectors
	$(TARGET)/debug/interlock dev $(ARGS)

test: ## everything, against a Postgres of its own
	@.ci/setup build postgres test
	$(CARGO) build --workspace --bins $(FAULTS)
	$(TARGET)/debug/interlock connector build $(CONNECTORS) --out $(TARGET)/connectors
	$(TARGET)/debug/interlock connector build tests/hostile --out $(TARGET)/test-connectors
	$(TARGET)/debug/with-postgres -- $(CARGO) nextest run --workspace $(FAULTS) $(ARGS)
	$(if $(ARGS),,INTERLOCK_TEST_OUTBOX_WAKE=false $(TARGET)/debug/with-postgres -- $(CARGO) nextest run --workspace $(FAULTS) $(POLLED))
	$(if $(ARGS),,$(CARGO) test --doc --workspace $(FAULTS))

chaos: ## hosts that are killed and gateways that lie, and a check of all books; ARGS=mutations checks the checker
	@.ci/setup build postgres
	$(CARGO) build -p interlock -p interlock-simulator -p interlock-chaos $(FAULTS)
	$(TARGET)/debug/interlock connector build $(CONNECTORS) --out $(TARGET)/connectors
	$(TARGET)/debug/interlock-chaos $(ARGS)

bench: ## every figure, as ratios measured in one run
	@.ci/setup postgres
	@$(MAKE) --no-print-directory build
	$(CARGO) run --release -p interlock-bench -- $(ARGS)

check: ## format, lints, documentation, dependencies
	@.ci/setup build check
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets $(FAULTS) -- -D warnings
	$(CARGO) clippy -p interlock-connector -p interlock-mock -p interlock-hostile --target wasm32-unknown-unknown -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items
	$(CARGO) deny check bans licenses sources
