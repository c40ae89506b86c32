# The doors: make run, make test, make lint, make bench. Each installs what it needs, once.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# Debian's own interpreter when it is there; any 3.11+ otherwise (make PYTHON=… to choose).
PYTHON ?= $(shell test -x /usr/bin/python3.11 && echo /usr/bin/python3.11 || echo python3)
LISTS_RUN := deploy/setup/apt-run.txt
LISTS_TEST := deploy/setup/apt-run.txt deploy/setup/apt-test.txt
C_SOURCES := $(wildcard probes/media/csrc/*.c probes/media/csrc/*.h probes/media/csrc/helper/*.[ch] probes/sip/csrc/*.[ch] probes/sip/csrc/wire/*.[ch]) setup.py
EXT := .make/ext
PYTEST := $(BIN)/python -m pytest

.PHONY: help setup setup-test run test test-unit test-lab lint format bench fuzz clean

help:
	@echo "make run        install what is missing, start the lab and Sereno on it, print the page's address"
	@echo "make test       install what tests need, run every test against real servers"
	@echo "make lint       ruff and mypy, strict"
	@echo "make bench      the headline numbers, as ratios against named peers"
	@echo "make fuzz       the parsers' fuzz targets, for longer (SECONDS_EACH=60)"
	@echo "make clean      remove what make built here (.venv, C objects, stamps)"

# Stamps are named after the content they stand for, so an unchanged list costs nothing and a changed one runs again.
APT_RUN := .make/apt-run-$(shell cat $(LISTS_RUN) deploy/setup/apt-install.sh | cksum | cut -d' ' -f1)
APT_TEST := .make/apt-test-$(shell cat $(LISTS_TEST) deploy/setup/apt-install.sh | cksum | cut -d' ' -f1)
PY := .make/py-$(shell cat pyproject.toml deploy/setup/constraints.txt | cksum | cut -d' ' -f1)

setup: $(APT_RUN) $(PY) $(EXT)

setup-test: $(APT_TEST) $(PY) $(EXT)

$(APT_RUN):
	@echo "[1/2] Debian packages"
	@sh deploy/setup/apt-install.sh $(LISTS_RUN)
	@mkdir -p .make && touch $@

$(APT_TEST):
	@echo "[1/2] Debian packages, tests' too"
	@sh deploy/setup/apt-install.sh $(LISTS_TEST)
	@mkdir -p .make && touch $@ $(APT_RUN)

$(PY): | $(APT_RUN)
	@echo "[2/2] Python packages and the C parts into $(VENV) (about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "sereno: $(PYTHON) is older than 3.11; run make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input -q --progress-bar off -c deploy/setup/constraints.txt setuptools
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input -q -c deploy/setup/constraints.txt --no-build-isolation -e '.[test]'
	@mkdir -p .make && touch $@ $(EXT)

$(EXT): $(C_SOURCES) | $(PY)
	@echo "the C parts, built again"
	@$(BIN)/python setup.py -q build_ext --inplace
	@mkdir -p .make && touch $@

run: setup
	@exec $(BIN)/sereno up --lab

test: setup-test
	@bash deploy/setup/run-tests.sh $(BIN)/python

test-unit: setup-test
	@$(PYTEST) -q -n3 -m "not lab"

test-lab: setup-test
	@$(PYTEST) -q -n0 -m lab

lint: setup-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format:
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup-test
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

fuzz: setup-test
	@SERENO_FUZZ_SECONDS=$${SECONDS_EACH:-60} $(PYTEST) -q -n0 tests/fuzz --timeout=3600

clean:
	rm -rf $(VENV) .make build *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find probes -name "*.so" -delete
	rm -f probes/media/capture-helper
