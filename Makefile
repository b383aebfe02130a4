# One place for what developers and CI run. `make` alone says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-from-lock
DATA ?= data
FUZZ_SECONDS ?= 60
# More than one for each core: many tests wait for tools of others.
TEST_PROCESSES ?= 3
export NO_MKDOCS_2_WARNING := 1
LOCK_OPTIONS := --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup serve test conformance check check-types check-style check-imports check-house check-docs format bench fuzz docs generated lock tools clean

help: ## Say what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Make .venv with everything, from the lock file

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@$(BIN)/python -m compileall -q dicomweb_server
	@touch $@

serve: $(STAMP) ## Serve the folder $(DATA) on this machine: HTTP 8042, DIMSE 4242
	@$(BIN)/dicomweb-server serve --data $(DATA)

tools: ## Install the tools of others that tests talk to (needs root and apt; does nothing otherwise)
	@scripts/test-tools

test: $(STAMP) tools ## Run all tests
	@$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist loadfile --durations 20 --durations-min 5 tests conformance

conformance: $(STAMP) ## Judge a started server from outside and write conformance/results.md
	@$(BIN)/python -m pytest -q conformance --write-results

check: $(STAMP) ## Format, lint, types, imports, house rules, docs and generated files
	@$(MAKE) --no-print-directory --jobs 2 --output-sync check-types check-style check-imports check-house check-docs

check-types:
	@$(BIN)/mypy --no-error-summary

check-style:
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .

check-imports:
	@$(BIN)/lint-imports > .lint-imports.log || { cat .lint-imports.log; exit 1; }
	@rm -f .lint-imports.log

check-house:
	@$(BIN)/python -m pytest -q tests/architecture

check-docs:
	@$(BIN)/mkdocs build --quiet --strict --site-dir site

format: $(STAMP) ## Format the code and mend what can be mended
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

bench: $(STAMP) ## Measure this server on data made for it
	@$(BIN)/python -m tests.bench

fuzz: $(STAMP) ## Fuzz every parser for FUZZ_SECONDS each
	@$(BIN)/python -m tests.fuzz $(FUZZ_SECONDS)

docs: $(STAMP) ## Build the documentation into site/
	@$(BIN)/mkdocs build --quiet --strict --site-dir site

generated: $(STAMP) ## Make the generated files anew
	@$(BIN)/python -m scripts.generate

lock: ## Choose the versions of the lock files anew (needs pip-tools)
	@pip-compile $(LOCK_OPTIONS) --extra video --extra dev --extra docs --output-file requirements.lock pyproject.toml
	@pip-compile $(LOCK_OPTIONS) --output-file requirements-server.lock pyproject.toml

clean: ## Remove what was made, but not data
	@rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
