# Each target works first on a fresh clone, with Python 3.11 or newer, make and a package index.
PYTHON ?= python3
BIN := .venv/bin
export DAGSTER_HOME := $(CURDIR)

.PHONY: demo test dev bench pin

demo: .venv/ready
	@$(BIN)/herobase-demo

test: .venv/ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pytest

dev: .venv/ready
	$(BIN)/dagster dev --host 127.0.0.1 --port 3000

bench: .venv/bench
	$(BIN)/python -m benchmarks

.venv/ready: constraints.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed: make PYTHON=python3.11"'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the pinned packages into .venv (a minute or two, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/bench: .venv/ready benchmarks/constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r benchmarks/constraints.txt
	@touch $@

# For maintainers, with uv: choose the versions anew.
PIN := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet
pin:
	$(PIN) --extra dev --output-file constraints.txt
	$(PIN) --extra bench --output-file benchmarks/constraints.txt
