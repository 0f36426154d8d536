# make run    the product with its example, on this machine
# make test   every test, with the real servers that they need
# make lint   style, types, layers
# make check  what CI runs: lint and test

PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.PHONY: run test lint check format clean servers
.DEFAULT_GOAL := check

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found."; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): setup.cfg pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[redis]'
	@touch $@

$(INSTALLED_DEV): setup.cfg pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[redis,dev]'
	@touch $(INSTALLED) $@

run: $(INSTALLED)
	@exec $(BIN)/python -m examples.run

servers: | $(BIN)/python
	@PYTHON=$(BIN)/python tools/install-test-servers

test: $(INSTALLED_DEV) servers
	$(BIN)/python -m pytest -rs -n auto --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

format: $(INSTALLED_DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-buildbot data build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
