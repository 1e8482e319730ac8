# Two commands on a fresh machine: `make demo` and `make test`.
# They need Python 3.11 or newer, make and a package index. Everything is installed into .venv.

# The first Python that is new enough. Each is run, because a name on the PATH may not work.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python $(NEW_ENOUGH) 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# Compiled modules are kept: each worker of the tests would compile all of them anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-slow golden lint types walls bars check bench picture check-letter clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/installed ## run a whole morning, offline; ARGS=--no-serve stops after delivery
	@$(BIN)/newsletter demo $(ARGS)

test: $(VENV)/developed ## run the tests except the long ones; ARGS goes to pytest
	@$(BIN)/pytest -n auto -m "not slow" $(ARGS)

test-long: $(VENV)/developed ## run the long tests at a reduced size, as CI does
	@$(BIN)/pytest -n auto -m slow $(ARGS)

test-slow: $(VENV)/developed ## run the long tests at full size
	@NEWSLETTER_TESTS=full $(BIN)/pytest -m slow $(ARGS)

golden: $(VENV)/developed ## write the golden letters again; read the diff before you commit
	@$(BIN)/pytest -q --update-golden tests/acceptance/test_letter.py tests/acceptance/test_notes.py

lint: $(VENV)/developed ## check rules and formatting with ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/developed ## check types with strict mypy, including tests and benches
	@$(BIN)/mypy

walls: $(VENV)/developed ## check with import-linter that imports run one way
	@$(BIN)/lint-imports

bars: $(VENV)/developed ## measure lengths of functions and modules, docstrings, test names and more
	@$(BIN)/python tools/bars.py

check: lint types walls bars ## run lint, types, walls and bars

bench: $(VENV)/developed ## measure matching, composing, ledger, audit and fetching; more: docs/benchmarks.md
	@$(BIN)/python -m bench.match
	@$(BIN)/python -m bench.compose
	@$(BIN)/python -m bench.ledger
	@$(BIN)/python -m bench.audit
	@$(BIN)/python -m bench.fetch

picture: $(VENV)/developed ## take the screenshots of README and docs with Chromium
	@$(BIN)/python -m tools.picture

check-letter: $(VENV)/developed ## check example emails with axe, html-validate, MJML's validator and others
	@command -v npm >/dev/null || echo "npm is not installed: the checks that need it are skipped"
	@! command -v npm >/dev/null || npm install --prefix tools/checks --no-package-lock --no-audit --no-fund --silent
	@$(BIN)/python -m tools.check_letter

clean: ## remove .venv and all caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist

$(VENV)/created:
	@test -n "$(PYTHON)" && $(PYTHON) $(NEW_ENOUGH) || \
		{ echo "Python 3.11 or newer is needed. Name one: make PYTHON=/path/to/python3.11"; exit 3; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 3; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/installed: $(VENV)/created pyproject.toml
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/developed: $(VENV)/installed
	@echo "Installing the development tools …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@
