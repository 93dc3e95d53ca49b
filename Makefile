# `make demo` and `make test` set up all they need in .venv first; see CONTRIBUTING.md. PYTHON=, MMCV=compiled and
# TORCH=cpu say how; a .venv that is there keeps what it has.
PYTHON ?= python3
VENV := .venv/bin

.PHONY: help setup demo test test-fast coverage docs format format-check lint types env-check lock clean

help:
	@echo 'make setup      .venv with all that the lock names (PYTHON=, TORCH=cpu, MMCV=compiled)'
	@echo 'make demo       train, test and draw a landmark model on synthetic faces'
	@echo 'make test       run the tests (ARGS="-k name" picks some)'
	@echo 'make test-fast  those that take no tool through a training: for the edit loop'
	@echo 'make coverage   the tests again, and what share of the lines they run: the total and the worst files'
	@echo 'make docs       the site, in docs/_build/html'
	@echo 'make format     ruff format; make format-check only looks'
	@echo 'make lint       ruff over the code'
	@echo 'make types      mypy over the package'
	@echo 'make env-check  one line per requirement: found, wanted, how to fix'
	@echo 'make lock       make requirements/lock.txt anew from requirements/*.in'
	@echo 'make clean      remove .venv and tool caches (data/, work_dirs/, the cache of uv stay)'

setup:
	@MMCV=$(MMCV) TORCH=$(TORCH) $(PYTHON) tools/setup_env.py $(if $(filter command environment override,$(firstword $(origin PYTHON))),--this-python)

demo: setup
	@$(VENV)/python tools/demo.py $(ARGS)

test: setup
	@$(VENV)/python -m pytest -n logical --dist worksteal $(ARGS)

test-fast: setup
	@$(VENV)/python -m pytest -n logical --dist worksteal -m 'not slow' $(ARGS)

# Processes that tests start are counted too. It takes longer than `make test`, hence a command of its own.
coverage: setup
	@$(VENV)/python -m pytest -n logical --dist worksteal --cov --cov-report= $(ARGS)
	@$(VENV)/coverage report --sort=cover | sed -n '1,22p;$$p'

docs: setup
	@$(VENV)/python -m sphinx -q -W --keep-going -b html -c docs . docs/_build/html
	@echo 'written: docs/_build/html/index.html'

format: setup
	@$(VENV)/ruff format .

format-check: setup
	@$(VENV)/ruff format --check .

lint: setup
	@$(VENV)/ruff check .

types: setup
	@$(VENV)/mypy

# Reports on a broken .venv as it is; only a missing one is made first.
env-check:
	@test -x $(VENV)/python || $(MAKE) --no-print-directory setup
	@$(VENV)/python -m mmpose_sp.utils.collect_env

lock: setup
	@$(VENV)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header $(ARGS) \
		requirements/runtime.in requirements/optional.in requirements/dev.in requirements/docs.in \
		--output-file requirements/lock.txt
	@$(VENV)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header $(ARGS) \
		requirements/uv.in --output-file requirements/uv.txt

clean:
	rm -rf .venv build dist docs/api docs/_build *.egg-info .coverage* .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
