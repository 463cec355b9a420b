# All tasks of this project. `make dev` is where to begin: it installs what is missing and starts everything.
#
# ARGS is handed on: make dev ARGS="--public-addr 127.0.0.1:9000", make test ARGS=idempotency, make bench ARGS=--quick

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# What is fuzzed, and for how long each where ARGS does not say: so much of CI's time goes into it.
FUZZED := admission guest_output
FUZZ_SECONDS := 45
CONNECTORS := connectors/mock connectors/stripe connectors/razorpay connectors/adyen connectors/paypal
# Builds the gateways' connectors with this program.
connectors = for folder in $(CONNECTORS); do $(1) connector build $$folder --out $(TARGET)/connectors || exit 1; done
# The same small connector in three languages. Where the tools for two of them are, and that what is slow to build is kept.
EXAMPLES := rust javascript python
EXAMPLE_TOOLS := CARGO_TARGET_DIR=$(abspath $(TARGET)) INTERLOCK_JAVASCRIPT_TOOLS=$(abspath $(TARGET))/connector-tools/javascript \
	INTERLOCK_PYTHON_TOOLS=$(abspath $(TARGET))/connector-tools/python
# What builds the example connectors; `make bench` has a release build do it.
BUILDER := $(TARGET)/debug/interlock
# Tests abort hosts at named points; no other build can do that.
FAULTS := --features interlock/fault-points
# Tests of events on their way out, which are run a second time without wake-ups.
POLLED := outbox:: events:: deliveries:: delivery_ redeliveries:: receiving:: webhook_endpoints:: sinks \
	crashes::before_published crashes::after_published crashes::after_sink_published crashes::before_deliver crashes::after_deliver

.DEFAULT_GOAL := build
.PHONY: setup build examples dev test fuzz chaos bench check

setup: ## installs what is missing, for all that follows
	@.ci/setup build postgres connectors test check

build: ## target/release/interlock, target/release/interlock-simulator, target/connectors/*.wasm
	@.ci/setup build
	$(CARGO) build --release -p interlock -p interlock-simulator
	$(call connectors,$(TARGET)/release/interlock)

examples: ## target/examples/*.wasm: the example connectors, in Rust, JavaScript and Python
	@.ci/setup build connectors
	$(CARGO) build -p interlock $(FAULTS)
	$(MAKE) --no-print-directory $(addprefix example-,$(EXAMPLES))

example-%:
	$(EXAMPLE_TOOLS) $(BUILDER) connector build connectors/examples/$* --out $(TARGET)/examples

dev: ## Postgres (or DATABASE_URL), gateway simulator and host with a merchant, until Ctrl-C; kept in ./.interlock
	@.ci/setup build $(if $(DATABASE_URL),,postgres)
	$(CARGO) build -p interlock -p interlock-simulator
	$(call connectors,$(TARGET)/debug/interlock)
	$(TARGET)/debug/interlock dev $(ARGS)

test: ## everything, against a Postgres of its own
	@.ci/setup build postgres connectors test
	$(CARGO) build --workspace --bins $(FAULTS)
	$(call connectors,$(TARGET)/debug/interlock)
	$(TARGET)/debug/interlock connector build tests/hostile --out $(TARGET)/test-connectors
	$(MAKE) --no-print-directory $(addprefix example-,$(EXAMPLES))
	$(TARGET)/debug/interlock connector build tests/bad --out $(TARGET)/test-connectors
	$(CARGO) build --locked --manifest-path tests/smith/Cargo.toml --target-dir $(TARGET)/smith
	$(TARGET)/debug/with-postgres -- $(CARGO) nextest run --workspace $(FAULTS) $(ARGS)
	$(if $(ARGS),,INTERLOCK_TEST_OUTBOX_WAKE=false $(TARGET)/debug/with-postgres -- $(CARGO) nextest run --workspace $(FAULTS) $(POLLED))
	$(if $(ARGS),,$(CARGO) test --doc --workspace $(FAULTS))

fuzz: ## looks for what breaks a promise of docs/sandbox.md; ARGS are libFuzzer's: -max_total_time=3600
	@.ci/setup build
	cd fuzz && RUSTC_WRAPPER=$(CURDIR)/fuzz/instrument CARGO_TARGET_DIR=$(abspath $(TARGET)) $(CARGO) build --locked
	$(MAKE) --no-print-directory $(addprefix fuzz-,$(FUZZED))

# Learns into the target folder; the seeds stay as they are.
fuzz-%:
	@mkdir -p $(TARGET)/fuzz/$*
	$(TARGET)/debug/$* -max_len=16384 -rss_limit_mb=4096 -artifact_prefix=$(TARGET)/fuzz/ \
		$(or $(ARGS),-max_total_time=$(FUZZ_SECONDS)) $(TARGET)/fuzz/$* fuzz/seeds/$*

chaos: ## hosts that are killed and gateways that lie, and a check of all books; ARGS=mutations checks the checker
	@.ci/setup build postgres
	$(CARGO) build -p interlock -p interlock-simulator -p interlock-chaos $(FAULTS)
	$(call connectors,$(TARGET)/debug/interlock)
	$(TARGET)/debug/interlock-chaos $(ARGS)

bench: ## every figure, as ratios measured in one run
	@.ci/setup postgres connectors
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory BUILDER=$(TARGET)/release/interlock $(addprefix example-,$(EXAMPLES))
	$(CARGO) run --release -p interlock-bench -- $(ARGS)

check: ## format, lints, documentation, dependencies
	@.ci/setup build check
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) fmt --manifest-path tests/smith/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets $(FAULTS) -- -D warnings
	$(CARGO) clippy -p interlock-connector -p interlock-mock -p interlock-stripe -p interlock-razorpay -p interlock-adyen -p interlock-paypal -p tiny-rust -p interlock-hostile -p interlock-bad --target wasm32-unknown-unknown -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items
	$(CARGO) deny check bans licenses sources
	$(CARGO) deny --manifest-path fuzz/Cargo.toml --config .deny.toml check bans licenses sources
	$(CARGO) deny --manifest-path tests/smith/Cargo.toml --config .deny.toml check bans licenses sources
