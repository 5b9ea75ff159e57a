# Two commands matter: `make chaos` (the main job) and `make test` (everything that must hold).

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: chaos up test test-slow bench-system bench-sink bench-load bench-judge bench-report fuzz install lint clean

chaos: install
	$(BIN)/mailstorm suite

# The system with Locust's web UI, beat, Flower and every address, until Ctrl-C.
up: install
	$(BIN)/mailstorm up

# What watches rates and clocks has the machine to itself; the rest waits more than it works, so three processes
# share it, the long stories first.
test: install lint
	$(BIN)/python -m pytest -m "not slow and (not e2e or sociable)" --numprocesses 3 --dist loadfile \
		--no-loadscope-reorder
	$(BIN)/python -m pytest -m "e2e and not slow and not sociable"

# Convictions and acquittals over many seeds: about an hour.
test-slow: install
	$(BIN)/python -m pytest -m slow

# Ratios of the system against bare Celery and bare Flask, interleaved; the last line is JSON.
bench-system: install
	$(BIN)/python -m benchmarks.system_bench

# Ratios of the sink, writing everything down, against an aiosmtpd that keeps nothing; the last line is JSON.
bench-sink: install
	$(BIN)/python -m benchmarks.sink_bench

# Requests per second and core of our load, with all its evidence, against a plain FastHttpUser.
bench-load: install
	$(BIN)/python -m benchmarks.load_bench

# How long the judge takes for up to a million jobs, and how much memory: needs 3.7 GB of disk for a while.
bench-judge: install
	$(BIN)/python -m benchmarks.judge_bench

# How large the report of 100,000 jobs is, and how soon Chromium has opened it.
bench-report: install
	$(BIN)/python -m benchmarks.report_open

# Garbage at the sink's SMTP port and control API for MINUTES; a bounded run of the same is in `make test`.
MINUTES ?= 10
fuzz: install
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

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
