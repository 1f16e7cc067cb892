# Runsheet. `make run` shows it; `make test` proves it. Both need Python 3.11+ and make, nothing else.

PYTHON ?= python3
VENV := .venv
PEER := .venv-peer
FOREIGN := .venv-foreign
BIN := $(VENV)/bin
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-foreign coverage quick check features chaos bench screenshot lock assets clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: $(VENV)/.runtime ## Start everything on a simulated clinic and print one address
	@$(BIN)/runsheet demo

test: $(VENV)/.dev ## Set up what the tests need and run them all, on both databases
	@sh scripts/ensure_browser.sh
	@$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

coverage: $(VENV)/.dev ## The same, and say which lines no test runs
	@sh scripts/ensure_browser.sh
	@$(BIN)/python -m pytest -n 2 --cov --cov-report= $(PYTEST_ARGS)
	@$(BIN)/coverage combine -q 2>/dev/null; $(BIN)/coverage report --skip-covered

test-foreign: $(VENV)/.dev $(FOREIGN)/.ready foreign/node_modules/.ready ## FHIR beside servers, clients and models not ours (needs Node 20)
	@$(BIN)/python -m pytest -q foreign $(PYTEST_ARGS)

quick: $(VENV)/.dev ## The tests without a browser, on SQLite alone: quick enough for every save
	@$(BIN)/python -m pytest -q -n 2 --db sqlite -m "not browser and not slow" $(PYTEST_ARGS)

check: $(VENV)/.dev ## Style, types, lock files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python scripts/check_locks.py

features: $(VENV)/.dev ## Run every marked test and print each row: passed, failed or missing
	@sh scripts/ensure_browser.sh
	@$(BIN)/python scripts/features.py

chaos: $(VENV)/.dev ## Break everything, each failpoint TRIALS times (10); writes docs/reliability.md
	@sh scripts/ensure_browser.sh
	@$(BIN)/python scripts/reliability.py $(TRIALS)

bench: $(VENV)/.dev $(PEER)/.ready ## Measure, as ratios, beside a bare minimum and a peer; writes docs/performance.md
	@$(BIN)/python -m bench $(BENCH_ARGS)

screenshot: $(VENV)/.dev ## Take the README's picture of the run sheet again
	@sh scripts/ensure_browser.sh
	@$(BIN)/python scripts/screenshot.py

lock: ## Resolve the lock files anew (maintainers; needs uv)
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra build pyproject.toml -o requirements.lock
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra build --extra dev pyproject.toml -o requirements-dev.lock
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		bench/peer/requirements.in -o bench/peer/requirements.lock
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		foreign/requirements.in -o foreign/requirements.lock

assets: $(VENV)/.dev ## Fetch the vendored browser files anew and check their hashes (maintainers; needs npm)
	@$(BIN)/python scripts/vendor_assets.py

clean: ## Remove the environment and everything the demo made
	@rm -rf $(VENV) $(PEER) $(FOREIGN) foreign/node_modules var test-results .coverage .coverage.*

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Runsheet needs Python 3.11 or newer; set PYTHON=python3.11, for example."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing; on Debian: apt-get install python3-venv"; exit 1; }

# Each stamp is newer than its lock file, so that a changed lock installs again. The dev lock holds the runtime's pins.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what Runsheet needs (once) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the tests need (once) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@ $(VENV)/.runtime

# What `make bench` measures beside: never part of Runsheet, so it has an environment and a lock file of its own.
$(PEER)/.ready: bench/peer/requirements.lock
	@echo "Installing the peer of the measurements (once) ..."
	@$(PYTHON) -m venv $(PEER)
	@$(PEER)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r bench/peer/requirements.lock
	@touch $@

# What `make test-foreign` sets beside our FHIR: never part of Runsheet either. Node's packages bring no scripts along.
$(FOREIGN)/.ready: foreign/requirements.lock
	@echo "Installing foreign FHIR clients and models (once) ..."
	@$(PYTHON) -m venv $(FOREIGN)
	@$(FOREIGN)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r foreign/requirements.lock
	@touch $@

foreign/node_modules/.ready: foreign/package-lock.json
	@echo "Installing a foreign FHIR server (once) ..."
	@cd foreign && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@
