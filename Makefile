# Everything that is done with this project on a machine. `make` alone lists it.
# Needs git, make and Python 3.11 or newer; the rest is installed into .venv.

# The interpreter that .venv is made with: the first of these that is new enough and can make one,
# or the one you name, as in `make test PYTHON=python3.12`.
PYTHON ?=
CANDIDATES = $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3)

# More words for pytest, as in `make test ARGS="-k cleaning -x"`, and how many workers share the tests.
ARGS ?=
WORKERS ?= logical

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# What leaks in from the user's shell would not be what constraints.txt says.
unexport PYTHONHOME PYTHONPATH

# A .venv is sound if its Python runs, is new enough (and the one asked for), has pip, and was made in
# this folder: in a moved or copied one, the commands still point to the old place.
sound := $(shell { \
  $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' \
  && head -n 2 $(BIN)/pip | grep -qF "$$(pwd -P)/.venv/bin/" \
  && { [ -z "$(PYTHON)" ] || [ "$$("$(PYTHON)" -V)" = "$$($(BIN)/python -V)" ]; } \
  && echo yes; } 2>/dev/null)

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo test check lint types layers doctest notebook assets pictures tour bundle bench bench-value lock clean venv-anew

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: .venv/.ready  ## install, then segment the sample shop: every result in one folder
	@$(BIN)/regulars demo
	@if [ -d regulars-demo ]; then printf '\nThe results are in %s/regulars-demo\n' "$$(pwd -P)"; fi

test: .venv/.ready-dev  ## install, then all tests
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 $(ARGS)

check: lint types layers doctest notebook  ## style, types, import rules, docstring examples, the notebook

lint: .venv/.ready-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

types: .venv/.ready-dev
	$(BIN)/python -m mypy

layers: .venv/.ready-dev
	$(BIN)/lint-imports

doctest: .venv/.ready-dev
	$(BIN)/python -m pytest -n $(WORKERS) --doctest-modules src/regulars

notebook: .venv/.ready-dev
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=600 CUSTOMER_SEGMENT.ipynb

assets: .venv/.ready  ## draw the README's pictures anew
	$(BIN)/python examples/make_assets.py

pictures: .venv/.ready-dev  ## photograph every chart for docs/charts (needs Chromium)
	$(BIN)/python docs/charts/pictures.py

tour: .venv/.ready-dev  ## photograph the browser app for docs/tour (needs Chromium)
	$(BIN)/python docs/tour/pictures.py

bundle: .venv/.ready  ## build the charts' JavaScript and the map's outlines anew (needs Node.js and npm)
	@command -v npm >/dev/null || { echo "npm is missing. On Debian or Ubuntu: sudo apt install nodejs npm"; exit 2; }
	@node scripts/build_plotly.mjs "$$($(BIN)/python -c 'import plotly.offline as o; print(o.get_plotlyjs_version())')"

bench: .venv/.ready-dev  ## measure time and memory
	$(BIN)/python benchmarks/run.py

bench-value: .venv/.ready-dev  ## measure the value models beside lifetimes and pymc-marketing
	$(BIN)/python benchmarks/value.py

# Not after .ready-dev: the old constraints may forbid what pyproject.toml now asks for.
lock: $(if $(sound),,venv-anew)  ## write constraints.txt anew (UPGRADE=1: newest versions)
	@$(PIP) install -qq uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	  --group dev --extra notebook --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
	  --output-file constraints.txt pyproject.toml

clean:  ## remove .venv, caches and built files
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- .venv ----------------------------------------------------------------------------------------

.venv/.ready: pyproject.toml constraints.txt $(if $(sound),,venv-anew)
	@echo "Installing regulars into .venv (one to five minutes) …"
	@$(PIP) install -qq -c constraints.txt -e .
	@touch $@

.venv/.ready-dev: pyproject.toml constraints.txt $(if $(sound),,venv-anew)
	@echo "Installing regulars and its development tools into .venv (one to five minutes) …"
	@$(PIP) install -qq -c constraints.txt pip
	@$(PIP) install -qq -c constraints.txt -e . --group dev
	@touch .venv/.ready $@

venv-anew:
	@python=; old=; bare=; \
	for name in $(CANDIDATES); do \
	  version=$$("$$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	  if ! "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then old="$$old $$name is $$version."; \
	  elif ! "$$name" -c 'import ensurepip, venv' 2>/dev/null; then bare=$${bare:-$$version}; \
	  else python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ] && [ -n "$$bare" ]; then \
	  echo "Python $$bare is here, but cannot make a virtual environment: venv or ensurepip is missing."; \
	  echo "On Debian or Ubuntu: sudo apt install python3-venv   (or python$$bare-venv)"; \
	  exit 2; \
	elif [ -z "$$python" ]; then \
	  printf '%s\n' 'regulars needs Python 3.11 or newer. Looked for:' $(CANDIDATES) | paste -s -d ' ' -; \
	  [ -z "$$old" ] || echo "Too old:$$old"; \
	  echo "On Debian or Ubuntu: sudo apt install python3 python3-venv"; \
	  echo "Or name one: make demo PYTHON=/path/to/python3"; \
	  exit 2; \
	fi; \
	if [ -e .venv ] || [ -L .venv ]; then echo "Making .venv anew: the one here is broken, moved or of another Python."; fi; \
	rm -rf .venv && "$$python" -m venv .venv
