# The only door: people and CI call the same targets. Everything is built into one target directory.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run fleet test check build wasm tools admin ctl e2e e2e-matrix bench bench-eviction image manifests-test compose-test fuzz-smoke fuzz-seeds schema clean

TARGET := $(or $(CARGO_TARGET_DIR),target)
MODULE := $(CURDIR)/dist/larder.wasm

# What `make bench` measures: all, quick, memory, purges, herd, stale, esi, crossings, or what larder-bench tells when asked.
BENCH ?= all

# Which Envoys `make e2e-matrix` tries, and which tests: all, or those whose names have one of these words.
ENVOYS ?= 1.36 1.37 1.38 1.39 1.40
TESTS ?=

# Native binaries need the optimiser, not the filter's whole-program optimisation.
RELEASE := CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 cargo build --release
# Tests hold thousands of connections open; the soft limit is often 1024 files.
OPEN_FILES := ulimit -n "$$(ulimit -Hn)" 2>/dev/null || true

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: wasm tools ## Start Envoy with Larder and a demo API, and show what to try (LARDER_PORT=8080 LARDER_CONFIG=envoy/larder.json)
	@cargo build --package larder-harness --bin larder-demo
	@LARDER_WASM=$(MODULE) exec $(TARGET)/debug/larder-demo

fleet: wasm tools admin ## Start three Envoys as one cache: Valkey, two larder-admin, the page, and what to try
	@cargo build --package larder-harness --bin larder-fleet
	@LARDER_WASM=$(MODULE) exec $(TARGET)/debug/larder-fleet

test: ## Run every test: the core natively, the module, the service, and all of them in real Envoy
	cargo test --package larder-core
	@$(MAKE) --no-print-directory wasm tools admin
	$(OPEN_FILES); LARDER_WASM=$(MODULE) cargo test --workspace --exclude larder-core
	@$(MAKE) --no-print-directory e2e
	@$(MAKE) --no-print-directory manifests-test

e2e: wasm tools admin ## Check the module, and run the end-to-end tests in real Envoy
	$(OPEN_FILES); LARDER_WASM=$(MODULE) cargo test --package larder --test wasm_module --test e2e

e2e-matrix: wasm tools admin ## Run them with several Envoys (ENVOYS="1.36 1.40" TESTS="purges:: herd::")
	@LARDER_WASM=$(MODULE) ENVOYS="$(ENVOYS)" TESTS="$(TESTS)" crates/harness/e2e-matrix.sh

check: ## Check format, lints (native and wasm) and dependencies; needs no network
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --package larder --test e2e --test wasm_module -- -D warnings
	cargo clippy --package larder --package larder-floor --target wasm32-wasip1 -- -D warnings
	cargo test --quiet --package larder-harness --test dependencies

build: wasm ## Build the module and the binaries into dist/
	$(RELEASE) --package larder-harness --package larder-admin --package larder-ctl
	@install -m 755 $(TARGET)/release/larder-demo $(TARGET)/release/larder-origin $(TARGET)/release/larder-admin $(TARGET)/release/larderctl dist/

wasm: ## Build the module: dist/larder.wasm
	@[ -d "$$(rustc --print target-libdir --target wasm32-wasip1)" ] || rustup target add wasm32-wasip1
	cargo build --release --package larder --target wasm32-wasip1
	@mkdir -p dist
	@install -m 644 $(TARGET)/wasm32-wasip1/release/larder.wasm $(MODULE)

admin: ## Build the service of a fleet for tests and `make fleet`: larder-admin
	cargo build --package larder-admin

ctl: ## Build the command line for tests: target/debug/larderctl
	cargo build --package larder-ctl

tools: ## Fetch Envoy and Valkey into .tools/ unless they are installed
	@crates/harness/tools.sh

bench: wasm tools ## Compare Larder with Envoy's own caches and others (BENCH=quick, herd, stale, memory, ...)
	cargo build --release --package larder-floor --target wasm32-wasip1
	@install -m 644 $(TARGET)/wasm32-wasip1/release/larder_floor.wasm dist/larder-floor.wasm
	$(RELEASE) --package larder-harness --bin larder-bench
	@LARDER_WASM=$(MODULE) $(TARGET)/release/larder-bench $(BENCH)

bench-eviction: ## Compare what the shared tier keeps with LRU, S3-FIFO, W-TinyLFU and the optimum
	$(RELEASE) --package larder-harness --bin larder-bench-eviction
	@$(TARGET)/release/larder-bench-eviction

image: wasm ## Pack the module as Istio and Envoy Gateway fetch it: an OCI image layout in dist/image
	@envoy/image.py $(MODULE) dist/image "$$(cargo metadata --no-deps --format-version 1 | sed 's/.*"name":"larder","version":"\([^"]*\)".*/\1/')"

manifests-test: admin ## Check the Helm chart, and the manifests for Istio and Envoy Gateway, by Helm and the published schemas
	@LARDER_ADMIN=$(TARGET)/debug/larder-admin envoy/manifests-test.sh

compose-test: wasm tools ## Start envoy/docker-compose*.yaml and try them; without Docker only check the files
	@envoy/compose-test.sh

fuzz-smoke: ## Fuzz each reader for FUZZ_SECONDS (10) seconds; needs a C++ compiler and the libfuzzer-sys crate
	@crates/core/fuzz/smoke.sh

fuzz-seeds: ## Write the fuzzer's seeds anew, where the format of entries has changed for instance
	cargo test --quiet --package larder-core --test corpus -- --ignored write_the_seeds

schema: ## Write envoy/larder.schema.json and docs/configuration.md anew, from crates/schema
	cargo run --quiet --package larder-schema

clean: ## Remove everything built or fetched
	cargo clean
	rm -rf dist .tools
