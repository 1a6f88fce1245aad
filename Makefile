# Each target works first on a fresh clone, with Python 3.11 or newer, make and a package index.
PYTHON ?= python3
BIN := .venv/bin
export DAGSTER_HOME := $(CURDIR)
export DAGSTER_DISABLE_TELEMETRY := yes
# a backfill waits while the code cannot be loaded, as in a deployment that went wrong, and goes on after
export DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR := yes

.PHONY: demo test test-long torture audit dev bench rebuild fields account alert person deliveries pin environment

demo: .venv/ready
	@$(BIN)/herobase-demo

# what computes uses both cores, and a third fills its waits; what waits for a webserver and a daemon does so four times at once
SUITE := --numprocesses 3 --dist worksteal --ignore herobase_pipeline_tests/stack
READERS := --numprocesses 2 herobase_pipeline_tests/reading/test_reader.py herobase_pipeline_tests/lake/test_catalogue.py
STACK := --numprocesses 4 --dist loadfile herobase_pipeline_tests/stack

# readers of the lake may still have DuckDB 1.5
test: .venv/ready .venv/duckdb-1.5
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(SUITE)
	PYTHONPATH=.venv/duckdb-1.5 $(BIN)/pytest $(READERS)
	$(BIN)/pytest $(STACK)

# first Dagster's own tables: a webserver and a daemon that make them in the same moment spoil them for good
dev: .venv/ready
	@test -e .dagster/schedules/schedules.db || $(BIN)/dagster instance migrate > /dev/null
	$(BIN)/dagster dev --host 127.0.0.1 --port 3000

# Makes everything that is made from all days anew, as the job of that name does on Sundays; of a site: make rebuild SITE=nord.
rebuild: .venv/ready
	$(BIN)/dagster job execute -m herobase_pipeline.definitions -j $(if $(SITE),$(SITE)_)rebuild

# Prints what fields the loaded leads have as files for fields/, without a value; --to and --all: see the module.
fields: .venv/ready
	@$(BIN)/python -m herobase_pipeline.fields.proposals $(ARGS)

# Says what the account of the settings gives, as a page that can be sent to anyone; ARGS=--json writes it for a bug report.
account: .venv/ready
	@$(BIN)/herobase-account $(ARGS)

# Sends a test message to each address of HEROBASE_ALERT_URLS, and says which took it; of one site: make alert ARGS="--site nord".
alert: .venv/ready
	@$(BIN)/herobase-alert $(ARGS)

# Prints all that is held of one lead or phone number, for an access request: make person ARGS="20 12 34 56".
person: .venv/ready
	@$(BIN)/herobase-person $(ARGS)

# Lists the deliveries that a person has to decide, and takes the decision: make deliveries ARGS="3f2a90c1 arrived".
deliveries: .venv/ready
	@$(BIN)/herobase-deliveries $(ARGS)

bench: .venv-bench/ready
	.venv-bench/bin/python -m benchmarks

# Also the kills at every moment, all with DuckDB 1.5, and what is known of the packages.
test-long: test audit
	LONG_TESTS=1 $(BIN)/pytest $(STACK)
	PYTHONPATH=.venv/duckdb-1.5 $(BIN)/pytest $(SUITE)

# Faults in combinations, kills and everything at once, for 50 minutes; ARGS="--seed 1 --minutes 5", or ARGS="--again faults:7".
torture: .venv/ready
	@$(BIN)/python -m herobase_pipeline_tests.torture $(ARGS)

# Asks a public list of weaknesses, over the network, whether one of the pinned packages is on it.
audit: .venv-audit/ready
	.venv-audit/bin/pip-audit --progress-spinner off --strict --disable-pip --require-hashes --requirement constraints.txt

INSTALL := -m pip install --quiet --disable-pip-version-check --no-deps

.venv/ready: constraints.txt pyproject.toml
	@$(MAKE) --no-print-directory environment IN=.venv
	@touch $@

# dlt brings packages that the pipeline must not come to depend on, so the benchmark has an environment of its own.
.venv-bench/ready: constraints.txt pyproject.toml benchmarks/constraints.txt
	@$(MAKE) --no-print-directory environment IN=.venv-bench
	@.venv-bench/bin/python $(INSTALL) --require-hashes -r benchmarks/constraints.txt
	@touch $@

# pip-audit is no part of what it looks at
.venv-audit/ready: audit-constraints.txt
	@test -x .venv-audit/bin/python || $(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python $(INSTALL) --require-hashes -r audit-constraints.txt
	@touch $@

# Spark is for a test of the lake as others read it; it is large, and needs Java
.venv-spark/ready: constraints-spark.txt
	@test -x .venv-spark/bin/python || $(PYTHON) -m venv .venv-spark
	@.venv-spark/bin/python $(INSTALL) --require-hashes -r constraints-spark.txt
	@touch $@

.venv/duckdb-1.5: .venv/ready constraints-duckdb-1.5.txt
	@$(BIN)/python $(INSTALL) --require-hashes --target $@ -r constraints-duckdb-1.5.txt
	@touch $@

environment:
	@test -x $(IN)/bin/python || $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, for example: make PYTHON=python3.11")'
	@test -x $(IN)/bin/python || $(PYTHON) -m venv $(IN)
	@echo "Installing the pinned packages into $(IN) (a minute or two, once) ..."
	@$(IN)/bin/python $(INSTALL) --require-hashes -r constraints.txt
	@$(IN)/bin/python $(INSTALL) --no-build-isolation --editable .

# For maintainers, with uv: choose the versions anew.
PIN := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet
pin:
	$(PIN) --extra dev --output-file constraints.txt
	$(PIN) --extra bench --output-file benchmarks/constraints.txt
	echo 'pip-audit>=2.10,<3' | $(PIN:pyproject.toml=-) --output-file audit-constraints.txt
	echo 'pyspark>=4.1,<5' | $(PIN:pyproject.toml=-) --output-file constraints-spark.txt
	echo 'duckdb>=1.5,<1.6' | $(PIN:pyproject.toml=-) --output-file constraints-duckdb-1.5.txt
