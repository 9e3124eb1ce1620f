# Everything a new machine needs: Python 3.11+, make, git. Set-up lives in .venv and follows pyproject.toml.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.stamp-run
DEV_STAMP := $(VENV)/.stamp-dev
BENCH_STAMP := $(VENV)/.stamp-bench
# One more than the cores of a small machine: many tests wait for processes.
WORKERS ?= 3
# Compiled files are kept: each test starts processes, and each worker would rewrite every assertion again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-all walks soak lint bench screenshots clean help

help:
	@echo "make demo         set up what is needed to run, then open the demo (a tour when there is no terminal)"
	@echo "make test         set up, then the quick tests (under 3 minutes on 2 cores)"
	@echo "make test-all     the quick tests and the slow ones"
	@echo "make walks        every key of every place again: in 16 colours, at 60 columns, as in tmux and screen"
	@echo "make soak         the state machine for long: SOAK_SEED (drawn), SOAK_EXAMPLES (1000), SOAK_STEPS (50)"
	@echo "make lint         ruff, mypy, import contracts"
	@echo "make bench        measure, write tests/bench/results.json and the README's tables (ONLY=calls: one section)"
	@echo "make screenshots  write screenshots/ anew"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; found: $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python3 -m venv failed. On Debian and Ubuntu: apt-get install python3-venv. On Fedora: dnf install python3-pip." >&2; exit 1; }

$(RUN_STAMP): pyproject.toml | $(BIN)/python
	@echo "setting up .venv (run-time packages)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@$(BIN)/python -m compileall -q console sync
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@echo "setting up .venv (with the extra dev)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@$(BIN)/python -m compileall -q console sync tests
	@$(BIN)/python -m pytest -q --collect-only > /dev/null || true
	@touch $@ $(RUN_STAMP)

$(BENCH_STAMP): pyproject.toml | $(DEV_STAMP)
	@echo "setting up .venv (with the extra bench)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	@touch $@ $(DEV_STAMP) $(RUN_STAMP)

demo: $(RUN_STAMP)
	@$(BIN)/predictive demo

test: $(DEV_STAMP)
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow"

# Whoever types at a terminal waits for what it shows: those tests have the machine for themselves.
test-all: $(DEV_STAMP)
	$(BIN)/python -m pytest -q -n $(WORKERS) --ignore=tests/pty
	$(BIN)/python -m pytest -q -n 1 -m "not walk" tests/pty

walks: $(DEV_STAMP)
	$(BIN)/python -m pytest -q -n 1 -m walk tests/pty

soak: $(DEV_STAMP)
	SOAK_SEED=$${SOAK_SEED:-$$(date +%s)} $(BIN)/python -m pytest -q -s tests/machine/test_machine.py -k long_run

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BENCH_STAMP)
	$(BIN)/python -m tests.bench $(ONLY)

screenshots: $(DEV_STAMP)
	$(BIN)/python -m tests.screens.shots

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
