# `make` alone checks everything that must hold and needs no server; `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: check help lint expected test test-lowest test-newest test-pythons test-debian13 test-real prove fuzz audit lock demo docs docs-check bench clean
.DEFAULT_GOAL := check

check: lint docs-check test  ## everything that must hold: lint, the generated pages, the tests

help:  ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*  ## \(.*\)/\1 \2/p' Makefile | while read -r name text; do printf '%-16s%s\n' "$$name" "$$text"; done

# One environment for everything, made anew when a lock changes; each target adds the packages that it needs. The locks have
# hashes, and each has the packages of the one before in the same versions: run, test, dev. `make lock` writes them.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("mailpolicy needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) || { echo "on Debian: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@touch $@

PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
define INSTALL
	@echo "setting up $(VENV) ..."
	@$(PIP) --require-hashes -r locks/$(1).txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(VENV)/.runs: $(VENV)/.made pyproject.toml locks/run.txt
	$(call INSTALL,run)

$(VENV)/.tests: $(VENV)/.made pyproject.toml locks/test.txt
	$(call INSTALL,test)

$(VENV)/.develops: $(VENV)/.made pyproject.toml locks/dev.txt
	$(call INSTALL,dev)

# What is compared with in benchmarks is not locked.
$(VENV)/.benches: $(VENV)/.develops
	@$(PIP) --editable '.[bench]'
	@touch $@

demo: $(VENV)/.runs  ## a dozen verdicts on the example
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh

test: $(VENV)/.tests  ## the tests that need no server
	$(BIN)/python -m pytest -n auto --dist worksteal --ignore tests/real $(TESTS)

# The other end of the versions that pyproject.toml allows; each in an environment of its own.
test-lowest: RESOLUTION = lowest-direct
test-lowest: .venv-lowest  ## the same with the lowest version of every dependency
test-newest: RESOLUTION = highest
test-newest: .venv-newest  ## the same with the newest versions, whatever the locks say
.venv-lowest .venv-newest: $(VENV)/.tests
	rm -rf $@
	$(PYTHON) -m venv $@
	$(BIN)/uv pip install --quiet --python $@ --resolution $(RESOLUTION) --editable '.[test]'
	$@/bin/python -m pytest -n auto --dist worksteal --ignore tests/real $(TESTS)
.PHONY: .venv-lowest .venv-newest

# Those that are installed; `make test-pythons PYTHONS=python3.14` for some.
PYTHONS ?= $(shell for minor in 11 12 13 14 15 16; do python3.$$minor -c "" 2>/dev/null && echo python3.$$minor; done)
test-pythons:  ## the tests that need no server, with every Python that is installed
	@failed=; for python in $(PYTHONS); do $$python -VV; \
	$(MAKE) test VENV=.venv-$${python##*/} PYTHON=$$python || failed="$$failed $$python"; done; \
	[ -z "$$failed" ] || { echo "failed with:$$failed"; exit 1; }

test-debian13:  ## the tests that need no server, in a Debian 13 made for it; needs root and debootstrap
	folder=$$(mktemp -d) && tests/in-debian "$$folder/root" trixie make test-pythons; status=$$?; rm -rf "$$folder"; exit $$status

expected: $(VENV)/.tests  ## write every expected output anew and show what changed
	@status=0; $(BIN)/python -m pytest -n auto --update-expected || status=$$?; \
	git --no-pager diff --stat -- tests docs README.md ':!*.py'; \
	git ls-files --others --exclude-standard -- tests ':!*.py' | sed 's/^/ new: /'; exit $$status

# A server or program that is missing is skipped, unless MAILPOLICY_REQUIRE_REAL=1.
test-real: $(VENV)/.develops  ## the tests with real servers, keyrings and programs
	$(BIN)/python -m pytest -n auto --dist worksteal tests/real

# ONLY=tests/real/proof/test_names.py repeats a part and keeps the rest of the last run.
ONLY ?=

prove: $(VENV)/.develops  ## faults, power loss, fuzzing, every promise at length: 25 minutes, writes docs/reliability.md
	@test -n "$(ONLY)" || rm -f build/prove.json
	MAILPOLICY_PROVE=1 $(BIN)/python -m pytest -n auto --dist worksteal $(or $(ONLY),tests/real/proof) --write-table docs/reliability.md

MINUTES ?= 10

fuzz: $(VENV)/.develops  ## any input for every reader, MINUTES=10 each; new inputs are kept in build/fuzz
	$(BIN)/python -m tests.real.proof.fuzz $(MINUTES)

lint: $(VENV)/.develops  ## format, style, types, the order of imports, sizes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	$(BIN)/python tests/sizes.py

audit: $(VENV)/.develops  ## ask PyPI for known vulnerabilities of the locked packages
	$(BIN)/python tests/audit.py locks/dev.txt

# Newest versions; those in a lock stay if LOCK= is given empty. The smaller locks take the versions of the larger.
LOCK ?= --upgrade
COMPILE = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" pyproject.toml -
REQUIRES = $(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'
lock: $(VENV)/.tests  ## write the locks anew, with the newest versions
	$(REQUIRES) | $(COMPILE) $(LOCK) --extra dev --extra prove -o locks/dev.txt
	$(REQUIRES) | $(COMPILE) --constraint locks/dev.txt --extra test -o locks/test.txt
	$(REQUIRES) | $(COMPILE) --constraint locks/dev.txt -o locks/run.txt

docs: $(VENV)/.tests  ## write the pages that are made from the code
	$(BIN)/python docs/generate.py

docs-check: $(VENV)/.tests  ## compare these pages with the code
	$(BIN)/python docs/generate.py --check

bench: $(VENV)/.benches  ## measure what docs/performance.md promises
	$(BIN)/python bench/run.py

clean:  ## remove what was made
	rm -rf .venv* build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
