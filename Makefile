# Needs a POSIX system with make, git and Python 3.11 or newer; everything else goes to .venv, from the locks in requirements/.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
UV := VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/uv --quiet
COMPILE := $(UV) pip compile --generate-hashes --universal --python-version 3.11 --no-header --no-annotate --upgrade
BASE := $(VENV)/.base
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
INSTALL_SELF := $(UV) pip install --no-deps --build-constraints requirements/build.lock --editable .

.PHONY: help demo test test-fast cluster-build cluster-up cluster-down check format bench docs lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 15

demo: $(RUNTIME) ## serve the sample repository on this machine and show a release and its rollback
	@trap : INT; $(BIN)/pointsman demo || test $$? -eq 130

# Most tests wait for processes and pods; each of the three has a cluster of its own.
test: check cluster-build ## check, then every test of every tier, three files at a time
	@$(BIN)/pytest -n 3 --dist loadfile --durations=25

test-fast: $(DEVELOPMENT) ## the pure tests only: seconds
	@$(BIN)/pytest -q -m "not system and not faults and not contract and not cluster"

cluster-build: $(DEVELOPMENT) ## build the Kubernetes of the tests, once per machine: 20 minutes
	@$(BIN)/python -m tests.cluster build

cluster-up: $(DEVELOPMENT) ## start that Kubernetes for yourself and print how to reach it
	@$(BIN)/python -m tests.cluster up

cluster-down: $(DEVELOPMENT) ## remove what cluster-up started
	@$(BIN)/python -m tests.cluster down

check: $(DEVELOPMENT) ## lint, formatting, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(DEVELOPMENT) ## format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(DEVELOPMENT) ## run every benchmark of bench/
	@$(BIN)/python -m bench

docs: $(RUNTIME) ## write the pages that are made from the code
	@$(BIN)/python docs/generate_cli.py

lock: $(DEVELOPMENT) ## resolve the locks anew from pyproject.toml and sample-repo/*.in
	$(COMPILE) pyproject.toml -o requirements/runtime.lock
	$(COMPILE) pyproject.toml --group dev -c requirements/runtime.lock -o requirements/dev.lock
	$(COMPILE) requirements/build.in -o requirements/build.lock
	$(COMPILE) sample-repo/requirements-deployment.in -o sample-repo/requirements-deployment.txt
	$(COMPILE) sample-repo/requirements.in -o sample-repo/requirements.txt

clean: ## remove what make has made
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Each stamp is written last, so that what was interrupted is done again.

$(BASE): .ci/venv requirements/runtime.lock
	@sh .ci/venv $(VENV)
	@touch $@

$(RUNTIME): $(BASE) requirements/runtime.lock requirements/build.lock pyproject.toml
	@$(UV) pip install --require-hashes -r requirements/runtime.lock
	@$(INSTALL_SELF)
	@touch $@

# The development lock holds the runtime lock's versions too; `sync` also removes what no lock names any more.
$(DEVELOPMENT): $(BASE) requirements/dev.lock requirements/build.lock pyproject.toml
	@$(UV) pip sync --require-hashes requirements/dev.lock
	@$(INSTALL_SELF)
	@touch $(RUNTIME) $@
