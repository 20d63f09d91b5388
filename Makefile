# All that a newcomer and CI need. `make demo` first; `make help` lists the rest.
# PYTHON chooses the interpreter (make demo PYTHON=python3.12), ARGS goes to the command
# (make up ARGS="--port-base 9000 --markets IE").

.POSIX:

PYTHON = python3
VENV = .venv
UV = uv
ARGS =

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
LOCK = $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-package emvs pyproject.toml

.PHONY: help install venv demo up down status load test machine bench check lock clean

help:
	@echo "make demo     start everything, play a story against it, stop; exit code 0 if all went well"
	@echo "make up       start everything with demo data, stay until Ctrl-C (ARGS=--detach: return)"
	@echo "make status   show what runs"
	@echo "make down     stop what runs in the background"
	@echo "make load     load tests: ARGS=\"run latvia --duration 1m\", \"capacity\", \"presets\" ..."
	@echo "make test     run all tests, up to four files at once (ARGS=\"-n 0 -x -k word\")"
	@echo "make machine  20,000 random steps in two markets against a plain model (MACHINE_STEPS=N)"
	@echo "make bench    measure everything (ARGS=\"--quick --check\": under five minutes, goals must be met)"
	@echo "make check    lint, format, types, direction of imports"
	@echo "make install  only make $(VENV) with all that is needed to run"
	@echo "make lock     work out the hashed locks again (needs uv)"
	@echo "make clean    remove $(VENV) and caches; the data in .emvs stay"

venv: $(VENV)/.made
install: $(VENV)/.run-installed

demo: $(VENV)/.run-installed
	@$(BIN)/emvs demo $(ARGS)

up: $(VENV)/.run-installed
	@$(BIN)/emvs up $(ARGS)

down: $(VENV)/.run-installed
	@$(BIN)/emvs down $(ARGS)

status: $(VENV)/.run-installed
	@$(BIN)/emvs status $(ARGS)

load: $(VENV)/.load-installed
	@$(BIN)/emvs load $(ARGS)

test: $(VENV)/.dev-installed
	$(BIN)/python -m pytest -n $$($(BIN)/python -c "import os; print(min(4, 1 + os.cpu_count()))") \
		--dist loadfile $(ARGS)

machine: $(VENV)/.dev-installed
	$(BIN)/python -m pytest -m bench --show-capture=no tests/acceptance/machine $(ARGS)

bench: $(VENV)/.run-installed
	$(BIN)/python -m loadtests.bench $(ARGS)

check: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock:
	@command -v $(UV) >/dev/null 2>&1 || { \
		echo "make lock needs uv: install it (pip install uv) or name it with UV=..." >&2; exit 1; }
	$(LOCK) --group build -o locks/run.txt
	$(LOCK) --group dev -o locks/dev.txt
	$(LOCK) --group build --extra load -o locks/load.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find emvs hub nmvs pharmacy_client loadtests tests -name __pycache__ -prune -exec rm -rf {} +

# A stamp is made last, so that what was interrupted is done again.

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
		echo "There is no $(PYTHON) here. Install Python 3.11 to 3.14, or name one:" \
			"make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || { \
		echo "$$($(PYTHON) --version) does not do: Python 3.11 to 3.14 is needed. Name one:" \
			"make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) lacks venv or ensurepip. On Debian and Ubuntu the package python3-venv" \
			"brings them: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run-installed: $(VENV)/.made locks/run.txt pyproject.toml
	$(PIP) install --quiet --require-hashes -r locks/run.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev-installed: $(VENV)/.made locks/dev.txt pyproject.toml
	$(PIP) install --quiet --require-hashes -r locks/dev.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.load-installed: $(VENV)/.made locks/load.txt pyproject.toml
	$(PIP) install --quiet --require-hashes -r locks/load.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@
