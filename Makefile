# The one word is `make`: lint, types, floors, tests, docs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: check lint expected test test-real prove demo docs docs-check bench clean
.DEFAULT_GOAL := check

check: lint docs-check test

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

$(VENV)/.develops: $(VENV)/.made pyproject.toml
	$(call INSTALL,[dev])

$(VENV)/.benches: $(VENV)/.made pyproject.toml
	$(call INSTALL,[bench])

demo: $(VENV)/.runs
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh

test: $(VENV)/.tests
	$(BIN)/python -m pytest -n auto --dist worksteal --ignore tests/real

# Write every expected output anew and show what that changed; commands and inputs stay as they are.
expected: $(VENV)/.tests
	$(BIN)/python -m pytest -n auto --update-expected --ignore tests/real
	@git --no-pager diff --stat -- tests docs ':!*.py'
	@git ls-files --others --exclude-standard -- tests ':!*.py' | sed 's/^/ new: /'

# With every real server and program; what is missing is skipped, unless MAILPOLICY_REQUIRE_REAL=1.
test-real: $(VENV)/.tests
	$(BIN)/python -m pytest -n auto --dist worksteal tests/real

# The long runs: more examples for every property.
prove: $(VENV)/.tests
	MAILPOLICY_EXAMPLES=3000 $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.develops
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

docs: $(VENV)/.tests
	$(BIN)/python docs/generate.py

docs-check: $(VENV)/.tests
	$(BIN)/python docs/generate.py --check

bench: $(VENV)/.benches
	$(BIN)/python bench/run.py

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
