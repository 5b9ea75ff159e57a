# Two commands matter: `make chaos` (the main job) and `make test` (everything that must hold).

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: chaos up test test-slow bench-system install lint clean

chaos: install
	$(BIN)/mailstorm suite

# The system alone, with beat, Flower and every address, until Ctrl-C.
up: install
	$(BIN)/mailstorm up

test: install lint
	$(BIN)/python -m pytest -m "not slow"

# Convictions and acquittals over many seeds: about an hour.
test-slow: install
	$(BIN)/python -m pytest -m slow

# Ratios of the system against bare Celery and bare Flask, interleaved; the last line is JSON.
bench-system: install
	$(BIN)/python -m benchmarks.system_bench

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mailstorm needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	$(BIN)/python -m chaos servers --get
	@touch $(STAMP)

clean:
	rm -rf .venv .tools build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
