# What a contributor runs. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test examples shuttle chaos deploy image image-check jaeger lint fmt stubs tools bench fuzz

CARGO := cargo
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# Seconds for each fuzz target.
FUZZ_SECONDS ?= 60
# Of each scenario, from a seed that is printed.
CHAOS_ITERATIONS ?= 100
CARGO_FUZZ_VERSION := 0.13.2
TOOLS = $${SIDECALL_TOOLS:-$$HOME/.cache/sidecall}
# Installs what is missing, and exports where it is.
WITH_TOOLS = tools=$$(tests/tools.sh); export $$tools;
BUF_LINT = "$$SIDECALL_TEST_NODE_MODULES/.bin/buf" lint

help: ## This list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: ## Builds the program and runs real turns against a small world of APIs.
	$(CARGO) build --locked --release
	target/release/sidecall demo

test: ## Installs what the tests need and runs them all.
	$(WITH_TOOLS) $(CARGO) test --locked --no-fail-fast
	$(WITH_TOOLS) clients/typescript/check.sh
	$(WITH_TOOLS) $(BUF_LINT)
	$(WITH_TOOLS) clients/python/check.sh

examples: ## Runs every example against the build, and reads what its agent says.
	$(CARGO) build --locked
	$(WITH_TOOLS) SIDECALL_BINARY="$$PWD/target/debug/sidecall" examples/check

shuttle: ## What threads meet over, in many thousands of interleavings.
	$(CARGO) test --locked --features shuttle --lib interleavings

chaos: ## A pod's life in every scenario, CHAOS_ITERATIONS (100) times each.
	$(WITH_TOOLS) export SIDECALL_PODS=$(CHAOS_ITERATIONS) SIDECALL_PODS_SEED=$${SIDECALL_PODS_SEED:-$$((RANDOM * 1000))}; \
	$(CARGO) test --locked --test pods -- --nocapture

deploy: ## Renders what is in deploy/ and validates it.
	$(WITH_TOOLS) $(CARGO) test --locked --test deploy

image: ## Builds the image with buildah: sidecall:VERSION.
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) deploy/image/build '' target/image/files
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) REVISION=$$(git rev-parse HEAD) \
		deploy/image/make target/image/files sidecall:$(VERSION)

image-check: ## Builds the image twice, compares the bytes, and runs it as a cluster would.
	deploy/image/check

jaeger: ## Runs Jaeger on its usual ports, page and all: http://127.0.0.1:16686.
	@tools=$$(tests/tools.sh jaeger); export $$tools; \
	[ -n "$${SIDECALL_TEST_JAEGER:-}" ] || { echo 'Jaeger is built with Go 1.25 or later: https://go.dev/dl' >&2; exit 1; }; \
	echo 'Jaeger: http://127.0.0.1:16686, OTLP at 127.0.0.1:4317. Ctrl-C ends it.'; \
	JAEGER_UI_ASSETS="$$SIDECALL_TEST_JAEGER_UI" exec "$$SIDECALL_TEST_JAEGER" --config file:tests/jaeger/config.yaml

lint: ## Format, clippy and docs without a warning, the wire's rules.
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --features bench -- -D warnings
	RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' $(CARGO) doc --locked --no-deps --document-private-items
	$(WITH_TOOLS) $(BUF_LINT)

fmt: ## Formats everything.
	$(CARGO) fmt

stubs: ## Generates the clients' and the Go example's code from proto/.
	$(WITH_TOOLS) clients/python/generate.sh
	clients/typescript/packages.sh && npm --prefix clients/typescript run --silent generate
	$(WITH_TOOLS) PATH="$$SIDECALL_TEST_NODE_MODULES/.bin:$$PATH" examples/go/generate

tools: ## Only installs what the tests need, and says where it is.
	@tests/tools.sh

bench: ## Measures against the bounds; writes target/bench.jsonl.
	$(CARGO) build --locked --profile dist --features bench
	clients/typescript/packages.sh && cd clients/typescript && npm run --silent build
	$(WITH_TOOLS) target/dist/sidecall-bench

fuzz: ## Runs each fuzz target for FUZZ_SECONDS.
	@fuzz="$(TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION)"; \
	[ -x "$$fuzz/bin/cargo-fuzz" ] || $(CARGO) install cargo-fuzz --locked --version $(CARGO_FUZZ_VERSION) --root "$$fuzz"; \
	export PATH="$$fuzz/bin:$$PATH"; \
	for target in $$($(CARGO) fuzz list); do \
		echo "fuzz: $$target for $(FUZZ_SECONDS) s"; \
		mkdir -p "fuzz/corpus/$$target"; \
		$(CARGO) fuzz run --sanitizer none "$$target" "fuzz/corpus/$$target" "fuzz/seeds/$$target" \
			-- -max_total_time=$(FUZZ_SECONDS) -timeout=5 -max_len=8192; \
	done
