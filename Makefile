# One word for each thing a developer does. `make help` lists them.
#
#   PYTHON=python3.12 make test     chooses the interpreter of a new environment
#   VENV=/somewhere make test       puts the environment elsewhere
#   WORKERS=4 make test             runs the tests in parallel
#   ARGS=--lf make conformance      hands options to pytest
#
# Every target makes what it needs: a virtual environment in $(VENV), and in it
# the library (editable) with the requirements of the task. Stamp files in the
# environment remember what is installed; `make clean` forgets everything.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 0
ARGS ?=
PYTHON_VERSIONS ?= 3.10 3.11 3.12 3.13

# An activated environment or a foreign PYTHONPATH must not leak into ours.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

SHELL := /bin/sh
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
PYTEST := $(BIN)/python -m pytest
PACKAGING := setup.py setup.cfg requirements/default.txt
# What needs nothing but this machine, on every Python, and on the chosen one.
UNIT := t/unit t/conformance/test_memory.py
LOCAL := $(UNIT) t/conformance/test_filesystem.py t/conformance/test_sqlalchemy.py
TEST_REQUIREMENTS := requirements/test.txt $(wildcard requirements/extras/*.txt)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test unit conformance integration test-all check docs
.PHONY: bench celery clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' \
	    $(MAKEFILE_LIST)

install: $(VENV)/.installed-dev ## environment for development

demo: $(VENV)/.installed-runtime ## see messages travel (no broker needed)
	$(BIN)/python examples/demo.py

test: $(VENV)/.installed-test ## unit tests, with coverage
	KOMBU_NOT_COVERED=$$($(BIN)/python -c "from importlib.util import find_spec; \
	    print('none' if find_spec('proton') else '*/kombu/transport/_qpid/*')") \
	$(PYTEST) $(LOCAL) -n $(WORKERS) --cov \
	    --cov-report=term:skip-covered

unit: $(VENV)/.installed-test ## unit tests, without coverage
	$(PYTEST) $(UNIT) -n $(WORKERS) -q

conformance: $(VENV)/.installed-test ## what every transport promises
	$(PYTEST) t/conformance -n $(WORKERS) -q -rs $(ARGS)

integration: $(VENV)/.installed-test ## kills, real servers, kombu 5.7 beside us
	$(PYTEST) t/peers t/integration --ignore t/integration/celery \
	    -n $(WORKERS) -q -rs $(ARGS)

celery: $(VENV)/.installed-test ## unmodified Celery on every broker, upgrades
	$(PYTEST) t/integration/celery -n $(WORKERS) --dist loadgroup -q -rs $(ARGS)

test-all: ## unit tests on every Python of this machine
	MAKE="$(MAKE)" WORKERS="$(WORKERS)" \
	    t/run_all_pythons.sh $(PYTHON_VERSIONS)

check: $(VENV)/.installed-dev ## style, types, import floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/tables.py --check

docs: $(VENV)/.installed-docs ## documentation site, warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(VENV)/.installed-test ## benchmarks (takes long, wants a quiet machine)
	$(BIN)/python -m t.benchmarks

clean: ## remove environments and everything built
	rm -rf $(VENV) .venv-3.* .venv-kombu-* build dist docs/_build *.egg-info htmlcov
	rm -rf .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache
	rm -rf .hypothesis .import_linter_cache .tox docs/reference/kombu.*.rst
	find kombu t examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the virtual environment ------------------------------------------------

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	    echo "$(PYTHON) is not Python 3.10 or newer: make PYTHON=python3.12 ..."; \
	    exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "$(PYTHON) -m venv failed (Debian, Ubuntu: install python3-venv)"; \
	    exit 1; }

$(VENV)/.installed-runtime: $(VENV)/bin/python $(PACKAGING)
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed-runtime $(TEST_REQUIREMENTS)
	$(PIP) -r requirements/test.txt
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed-runtime requirements/docs.txt
	$(PIP) -r requirements/docs.txt
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed-test \
        $(VENV)/.installed-docs
	$(PIP) -r requirements/dev.txt
	@touch $@
