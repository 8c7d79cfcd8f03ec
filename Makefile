# `make` alone checks everything that must hold and needs no server; `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: check help lint expected test test-real prove fuzz demo docs docs-check bench clean
.DEFAULT_GOAL := check

check: lint docs-check test  ## everything that must hold: lint, the generated pages, the tests

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/\1 \2/p' Makefile | while read -r name text; do printf '%-12s%s\n' "$$name" "$$text"; done

# One environment for everything, made anew when pyproject.toml changes; each target adds the extras it needs.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("mailpolicy needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) || { echo "on Debian: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@touch $@

define INSTALL
	@echo "setting up $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(1)'
	@touch $@
endef

$(VENV)/.runs: $(VENV)/.made pyproject.toml
	$(call INSTALL,)

$(VENV)/.tests: $(VENV)/.made pyproject.toml
	$(call INSTALL,[test])

$(VENV)/.proves: $(VENV)/.made pyproject.toml
	$(call INSTALL,[prove])

$(VENV)/.develops: $(VENV)/.made pyproject.toml
	$(call INSTALL,[dev])

$(VENV)/.benches: $(VENV)/.made pyproject.toml
	$(call INSTALL,[bench])

demo: $(VENV)/.runs  ## a dozen verdicts on the example
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh

test: $(VENV)/.tests  ## the tests that need no server
	$(BIN)/python -m pytest -n auto --dist worksteal --ignore tests/real

expected: $(VENV)/.tests  ## write every expected output anew and show what changed
	@status=0; $(BIN)/python -m pytest -n auto --update-expected || status=$$?; \
	git --no-pager diff --stat -- tests docs README.md ':!*.py'; \
	git ls-files --others --exclude-standard -- tests ':!*.py' | sed 's/^/ new: /'; exit $$status

# A server or program that is missing is skipped, unless MAILPOLICY_REQUIRE_REAL=1.
test-real: $(VENV)/.proves  ## the tests with real servers, keyrings and programs
	$(BIN)/python -m pytest -n auto --dist worksteal tests/real

prove: $(VENV)/.proves  ## faults, power loss, fuzzing, every promise at length: 25 minutes, writes docs/reliability.md
	MAILPOLICY_PROVE=1 $(BIN)/python -m pytest -n auto --dist worksteal tests/real/proof --write-table docs/reliability.md

MINUTES ?= 10

fuzz: $(VENV)/.proves  ## any input for every reader, MINUTES=10 each; new inputs are kept in build/fuzz
	$(BIN)/python -m tests.real.proof.fuzz $(MINUTES)

lint: $(VENV)/.develops  ## format, style, types, the order of imports, sizes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	$(BIN)/python tests/sizes.py

docs: $(VENV)/.tests  ## write the pages that are made from the code
	$(BIN)/python docs/generate.py

docs-check: $(VENV)/.tests  ## compare these pages with the code
	$(BIN)/python docs/generate.py --check

bench: $(VENV)/.benches  ## measure what docs/performance.md promises
	$(BIN)/python bench/run.py

clean:  ## remove what was made
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
