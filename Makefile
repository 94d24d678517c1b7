# `make demo` and `make test` do all the set-up they need, then their job. `make help` says what else there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.PHONY: help setup build demo test fmt clippy check-cuda build-tests run-tests oracles-venv oracles install bench bench-pit bench-tft bench-accuracy doc-reference clean-demo

# What is asked of the demonstration is no business of the compilers that make starts.
unexport DATA ENTITY TIME TARGET HORIZON TIME_ZONE

# Where cargo builds: CARGO_TARGET_DIR, as always, or target/ here.
TARGET_DIR = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
BINARY = $(TARGET_DIR)/debug/platform
CARGO = scripts/in-env cargo

help: ## what can be made
	@printf 'make TARGET, where TARGET is one of\n\n'
	grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 18
	printf '\nYour own data:\n\n  make demo DATA=metrics.csv ENTITY=host TIME=ts TARGET=cpu_percent [HORIZON=1h] [TIME_ZONE=Europe/Berlin]\n'

setup: ## install what the build needs (a compiler, CMake, libclang, Rust), where it is missing
	@scripts/timed set-up scripts/setup

build: setup ## build the binary
	@scripts/timed build $(CARGO) build --locked --package platform --bin platform

demo: build ## run the whole job on a simulated fleet, or on DATA=file [ENTITY=column] TIME=column TARGET=column
	@PLATFORM="$(BINARY)" DEMO_DIR="$(or $(DEMO_DIR),demo)" DATA="$(DATA)" ENTITY="$(ENTITY)" TIME="$(TIME)" TARGET="$(TARGET)" \
	  HORIZON="$(or $(HORIZON),1h)" TIME_ZONE="$(TIME_ZONE)" scripts/timed demo scripts/demo

test: fmt clippy check-cuda build-tests run-tests ## formatting, lints with warnings denied, every test

fmt: setup ## check the formatting
	@scripts/timed formatting $(CARGO) fmt --all --check

clippy: setup ## run the lints, warnings denied
	@scripts/timed clippy $(CARGO) clippy --locked --workspace --all-targets --quiet -- -D warnings

check-cuda: setup ## check that the transformer compiles for graphics cards
	@scripts/timed check-cuda $(CARGO) check --locked --package tft --features cuda --quiet

build-tests: setup
	@scripts/timed build $(CARGO) test --locked --workspace --no-run

run-tests: build-tests
	@export PLATFORM_ORACLES_PYTHON="$$(scripts/timed oracles-venv scripts/oracles-venv || true)"
	if [ -z "$$PLATFORM_ORACLES_PYTHON" ]; then unset PLATFORM_ORACLES_PYTHON; echo 'the tests that other programs have a say in are skipped' >&2; fi
	scripts/timed tests $(CARGO) test --locked --workspace

oracles: build-tests ## only the tests in which other programs read what we write
	@export PLATFORM_ORACLES_PYTHON="$$(scripts/oracles-venv)"
	$(CARGO) test --locked --package platform --test end_to_end oracles

install: setup ## install the binary, built as release, where cargo puts binaries
	@$(CARGO) install --locked --path crates/platform

bench: setup ## measure, and print the tables of docs/benchmarks.md
	@$(CARGO) build --locked --release --package platform --bin platform
	PLATFORM="$(TARGET_DIR)/release/platform" bench/run $(BENCH)

bench-tft: setup ## measure training beside pytorch-forecasting [CASES="168_24_h32 288_96_h32"] [ROUNDS=3]
	@program=$$($(CARGO) bench --locked --no-run --package tft --bench training --message-format json | \
	  python3 -c 'import json, sys; print([m["executable"] for m in map(json.loads, sys.stdin) if m.get("executable")][-1])')
	"$$(bench/tft/venv)" -B bench/tft/run.py --training "$$program" --rounds "$(or $(ROUNDS),3)" $(CASES)

bench-accuracy: build ## measure forecasts beside those of pytorch-forecasting and neuralforecast DATA=folder [CASES=etth1] [SEEDS=3]
	@"$$(bench/tft/venv)" -B bench/tft/accuracy.py --platform "$(BINARY)" --data "$(DATA)" --seeds "$(or $(SEEDS),3)" $(CASES)

bench-pit: setup ## measure point-in-time joins beside DuckDB, Polars and Feast [CASES="full few"] [SCALE=100]
	@$(CARGO) build --locked --release --package platform --bin platform
	scan=$$($(CARGO) bench --locked --no-run --package platform --package feature_store --bench scan --message-format json \
	  | sed -n 's/.*"executable":"\([^"]*\/scan-[^"]*\)".*/\1/p' | tail -n 1)
	PLATFORM="$(TARGET_DIR)/release/platform" SCAN="$$scan" CASES="$(CASES)" bench/pit-run

doc-reference: build ## write docs/reference from the binary's own --help
	@scripts/reference "$(BINARY)" docs/reference

clean-demo: ## remove what `make demo` made
	@scripts/demo --clean "$(or $(DEMO_DIR),demo)"
