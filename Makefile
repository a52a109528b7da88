# Two commands are enough: make demo, make test. Each sets .venv up from requirements.lock if it is not there.

PYTHON ?= python3
DATASET ?= simulated-shop
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo ui test test-lifecycle test-ui test-slow check bench bench-ingest bench-scoring bench-truth format lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-13s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY) ## the whole lifecycle on a simulated shop, or DATASET=online-retail-ii
	$(BIN)/churn demo --dataset $(DATASET)

ui: $(READY) ## the Dagster UI on http://127.0.0.1:3000
	$(BIN)/churn ui

test: $(READY) ## the tests, but for the longer ones below
	$(BIN)/pytest -n 2 --dist loadfile

test-lifecycle: $(READY) ## the longer tests: whole shops refreshed several times, sources, kills, restatements, late rows
	$(BIN)/pytest -n 2 --dist loadfile -m "lifecycle and not slow"

test-ui: $(READY) ## the tests that need Chromium (Debian: apt-get install chromium)
	$(BIN)/pytest -m browser

test-slow: $(READY) ## the tests that take many minutes each: fifty kills of an ingest, a backlog of 400 files, 400 files in landing, noise as features
	$(BIN)/pytest -m slow

check: $(READY) ## format, lint, types, import direction, definitions load, test, test-lifecycle
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/dg check defs
	$(MAKE) test test-lifecycle

bench: $(READY) ## file to training set at 1, 10, 50 and 100 million events, beside bare DuckDB and pandas; SIZES="1 10"
	$(BIN)/python -m churn_platform_tests.benchmarks.pipeline $(if $(SIZES),--sizes $(SIZES))

bench-ingest: $(READY) ## landing 1, 10 and 50 million events beside a bare DuckDB copy of the same files; SIZES="1 10"
	$(BIN)/python -m churn_platform_tests.benchmarks.ingest $(if $(SIZES),--sizes $(SIZES))

bench-scoring: $(READY) ## a million scores and 100,000 reasons by the champion of data/demo, beside bare XGBoost; fails beyond 1.5 times its time
	$(BIN)/python -m churn_platform_tests.benchmarks.scoring

bench-truth: $(READY) ## the model of data/demo, out of time, beside the simulated shop's own law; fails if a goal is missed
	$(BIN)/python -m churn_platform_tests.benchmarks.truth

format: $(READY) ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --universal --no-strip-extras --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --extra sources --group dev pyproject.toml --output-file requirements.lock

clean: ## remove the virtual environment; homes below data/ stay
	rm -rf $(VENV)
