# Needs Python 3.11 or newer and make; everything else goes into .venv.
# Options of a command: make demo ARGS="--months 2". Another Python: make venv PYTHON=python3.12.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p $(NEW_ENOUGH) 2>/dev/null && echo $$p && break; done)
ARGS ?=
# A file's tests stay together, in a process of its own a core, each with a Kafka of its own: more than four gain little.
AT_ONCE := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: venv demo test test-long check bench verdicts detectors alerts records dashboards dist screenshots help

venv: $(STAMP)  ## make .venv with everything in it (once; again when what it holds changes)

demo: $(STAMP)  ## find real drift in real flights: broker, ClickHouse, whole path, three minutes
	$(BIN)/driftline demo $(ARGS)

test: $(STAMP)  ## run the tests, all but the long ones
	$(BIN)/python -m pytest $(AT_ONCE) -m 'not long' $(ARGS)

test-long: $(STAMP)  ## run the long tests: many kills, large simulations
	$(BIN)/python -m pytest $(AT_ONCE) -m long $(ARGS)

check: $(STAMP)  ## lint, formatting, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

bench: $(STAMP)  ## measure speed and memory, each beside a yardstick
	$(BIN)/driftline bench $(ARGS)

verdicts: $(STAMP)  ## simulate what verdicts are worth: docs/verdicts.md
	$(BIN)/python -m monitor.verdicts $(ARGS)

detectors: $(STAMP)  ## simulate what sequential detectors are worth: docs/detectors.md
	$(BIN)/python -m monitor.detector_table $(ARGS)

alerts: $(STAMP)  ## simulate what alerts are worth: docs/alerts-simulation.md, some hours for all of it
	$(BIN)/python -m monitor.alert_table $(ARGS)

records: $(STAMP)  ## after a change in sinks/records: the documentation, JSON Schemas (also of the configuration), and a draft of ClickHouse's next migration
	$(BIN)/python -m sinks.records > docs/records.md
	$(BIN)/python -m monitor.decisions docs/schemas
	$(BIN)/python -m monitor.config > docs/driftline.schema.json
	$(BIN)/python -m sinks.clickhouse.draft_migration $(ARGS)

dashboards: $(STAMP)  ## after a change in monitor/dashboards: Grafana's JSON, dashboards/grafana/dashboards
	$(BIN)/python -m monitor.dashboards dashboards/grafana/dashboards

dist: $(STAMP)  ## build the wheel and the source archive of what is committed, and try them in an empty environment
	.ci/release $(BIN)/python dist

screenshots: $(STAMP)  ## run two months of the demo; pictures of the page and of the dashboards' panels: docs/screenshots
	$(BIN)/python -m monitor.demo.screenshots .driftline/screenshots docs/screenshots $(ARGS)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The stamp is written last: a venv that was interrupted half-way is gone on with, not trusted. One whose Python or pip
# does not work any more is made anew.
$(STAMP): pyproject.toml constraints.txt
	@python="$(PYTHON)"; \
	if [ -z "$$python" ] || ! "$$python" $(NEW_ENOUGH); then \
	    echo "Driftline needs Python 3.11 or newer; here is $$( ("$${python:-python3}" --version || echo none) 2>&1 )." >&2; \
	    echo "Install one, or name it: make venv PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	fi; \
	if ! $(BIN)/python $(NEW_ENOUGH) 2>/dev/null || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    echo "Making $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv --clear $(VENV) || { \
	        echo "This Python cannot make virtual environments (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }; \
	fi
	@echo "Installing into $(VENV): a few minutes the first time"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,demo,dev]'
	@touch $@
