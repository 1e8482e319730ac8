# Two commands on a fresh machine: `make demo` and `make test`.
# They need Python 3.11 or newer, make and a package index; everything lands in .venv.

# The first Python that is new enough; a name on the PATH need not be one that runs.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python $(NEW_ENOUGH) 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-slow golden lint types walls bars check bench picture check-letter clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/installed ## the whole morning, offline; ARGS=--no-serve stops after delivery
	@$(BIN)/newsletter demo $(ARGS)

test: $(VENV)/developed ## the tests of every day; ARGS goes to pytest
	@$(BIN)/pytest -n auto -m "not slow" $(ARGS)

test-long: $(VENV)/developed ## the long tests at a reduced size, as CI runs them: torture, sweeps
	@$(BIN)/pytest -n auto -m slow $(ARGS)

test-slow: $(VENV)/developed ## the long tests, whole
	@NEWSLETTER_TESTS=full $(BIN)/pytest -m slow $(ARGS)

golden: $(VENV)/developed ## write the golden letters anew; look at the difference before you commit
	@$(BIN)/pytest -q --update-golden tests/golden

lint: $(VENV)/developed ## ruff: the rules and the format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/developed ## mypy, strict, tests and benches included
	@$(BIN)/mypy

walls: $(VENV)/developed ## import-linter: the street runs one way
	@$(BIN)/lint-imports

bars: $(VENV)/developed ## lengths of functions and modules, docstrings, test names and more
	@$(BIN)/python tools/bars.py

check: lint types walls bars ## everything that is not a test

bench: $(VENV)/developed ## what matching, composing, the ledger, its audit and a feed cost; more: docs/benchmarks.md
	@$(BIN)/python -m bench.match
	@$(BIN)/python -m bench.compose
	@$(BIN)/python -m bench.ledger
	@$(BIN)/python -m bench.audit
	@$(BIN)/python -m bench.fetch

picture: $(VENV)/developed ## the pictures of letters in README and docs, with the system's Chromium
	@$(BIN)/python -m tools.picture

check-letter: $(VENV)/developed ## letters looked at with axe, html-validate, MJML's validator and others
	@command -v npm >/dev/null || echo "npm is not installed: what it brings is skipped"
	@! command -v npm >/dev/null || npm install --prefix tools/checks --no-package-lock --no-audit --no-fund --silent
	@$(BIN)/python -m tools.check_letter

clean: ## away with .venv and every cache
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist

$(VENV)/created:
	@test -n "$(PYTHON)" && $(PYTHON) $(NEW_ENOUGH) || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11"; exit 3; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 3; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/installed: $(VENV)/created pyproject.toml
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/developed: $(VENV)/installed
	@echo "Installing what the tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@
