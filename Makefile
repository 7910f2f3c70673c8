# make demo    slides, a run on them, and where its map and report lie: installs what it needs into .venv first
# make test    the whole test suite
# make check   format, lint, types, tests and documentation: what must pass before a change is sent
# make nightly what takes too long for every change: hundreds of kills, walltimes of a queue, a grid of networks
# make chaos   hundreds of kills at random moments, then the same bytes (the suite does eight): takes half an hour
# make fuzz    mutated files of every kind are read for an hour (TIME=600 for ten minutes); the suite does some tries
# make bench   a quick round of the measurements in benchmarks/ (docs/benchmarks.md has the full ones)
# make pins    writes constraints.txt anew from what .venv holds: once the tests have passed on a changed .venv
# make clean   everything that these leave, .venv included

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
SUITE := $(PYTEST) -n $(or $(JOBS),2) --dist loadgroup
# The loops of UMAP are compiled once for each installation, not in the first run.
COMPILE := @$(BIN)/python -c 'from tile_engine.models.evaluation.projection import compile_loops; compile_loops()'
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := demo
.PHONY: demo test check nightly chaos fuzz bench pins clean

demo: .venv/.installed
	$(BIN)/tile-engine demo

test: .venv/.installed-test
	$(SUITE) $(OPTIONS)

check: .venv/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p tile_engine
	$(SUITE)

nightly: chaos
	$(PYTEST) -m nightly

chaos: .venv/.installed-test
	TILE_ENGINE_KILLS=$(or $(KILLS),300) $(PYTEST) -s -k "test_chaos or test_survival or killed_again"

fuzz: .venv/.installed-test
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(or $(TIME),3600) $(OPTIONS)

bench: .venv/.installed-test
	$(BIN)/python benchmarks/convert.py --quick --repeat 1
	$(BIN)/python benchmarks/sample.py --quick --repeat 1
	$(BIN)/python benchmarks/apply.py --quick --repeat 1

# Local build tags go (torch==2.13.0+cpu is torch==2.13.0 wherever torch comes from); pip itself and tile-engine are no pins.
pins: .venv/.installed-test
	$(BIN)/python -m pip list --format=freeze --exclude-editable --exclude pip --exclude tile-engine > .venv/pins
	{ sed -n '/^#/p' constraints.txt; sed 's/+.*//' .venv/pins | LC_ALL=C sort -f; } > .venv/constraints.txt
	mv .venv/constraints.txt constraints.txt
	@touch .venv/.installed .venv/.installed-test

# The stamps keep a second `make` from installing again; a changed pyproject.toml or constraints.txt does.
.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e .
	$(COMPILE)
	@touch $@

.venv/.installed-test: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e '.[test]'
	$(COMPILE)
	@touch .venv/.installed $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv demo build dist *.egg-info .bench .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
