# The commands that README.md names. `make help` lists them; `.venv/bin/convrepro` is the same without make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

TABLE ?= quickstart
retried = $(if $(RETRY_FAILED),--retry-failed) $(if $(RESTART),--restart)
run_options = $(if $(SCALE),--scale $(SCALE)) $(if $(IMAGES),--images $(IMAGES)) $(if $(SEEDS),--seeds $(SEEDS)) \
	$(foreach only,$(ONLY),--only $(only)) $(foreach dataset,$(DATASET),--dataset $(dataset)) $(if $(RESULTS),--results '$(RESULTS)') $(foreach setting,$(MACHINE),--machine $(setting))

.DEFAULT_GOAL := help
.PHONY: help install reproduce-table tables status explain audit smoke compare benchmark benchmark-operators test test-faults check coverage clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 28

install: $(INSTALLED)  ## create .venv and install the project with its pinned versions

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "convrepro needs Python 3.11 or newer; name one with PYTHON=..." >&2; exit 2; }
	@echo "installing into $(VENV); this takes a minute or more, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(INSTALLED)

reproduce-table: $(INSTALLED)  ## run what TABLE lacks and print it: TABLE= SCALE= IMAGES= SEEDS= DATASET= ONLY= LAUNCHER= DRY_RUN=1 RETRY_FAILED=1 RESTART=1
	@$(BIN)/convrepro run $(TABLE) $(if $(LAUNCHER),--launcher $(LAUNCHER)) $(if $(DRY_RUN),--dry-run) $(retried) $(run_options)

tables: $(INSTALLED)  ## write every table in results/tables again from the records
	@$(BIN)/convrepro tables $(if $(RESULTS),--results '$(RESULTS)')

status: $(INSTALLED)  ## how far each table is
	@$(BIN)/convrepro status $(if $(RESULTS),--results '$(RESULTS)')

explain: $(INSTALLED)  ## why a cell differs: TABLE= CELL="model=cnn4 conv=dk"
	@$(BIN)/convrepro explain $(TABLE) $(CELL) $(if $(RESULTS),--results '$(RESULTS)')

audit: $(INSTALLED)  ## printed numbers checked by arithmetic: PAPER= (a paper, a table or a CSV file; all papers without)
	@$(BIN)/convrepro audit $(PAPER) || test $$? -eq 1

smoke: $(INSTALLED)  ## one training step and one evaluation of every cell of every table, on images of noise
	@$(BIN)/convrepro smoke

compare: $(INSTALLED)  ## compare CSV= with the numbers that the papers print
	@test -n '$(CSV)' || { echo "name the file: make compare CSV=results/tables/dk_table6.csv" >&2; exit 2; }
	@$(BIN)/convrepro compare '$(CSV)'

benchmark: $(INSTALLED)  ## measure speed and memory against their goals, a quarter of an hour: ONLY= ROUNDS= QUICK=1 OUTPUT=
	@$(BIN)/convrepro benchmark $(foreach only,$(ONLY),--only $(only)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick) $(if $(OUTPUT),--output '$(OUTPUT)')

benchmark-operators: $(INSTALLED)  ## time every operator against the plain convolution: ONLY= ROUNDS= THREADS= OUTPUT=
	@$(BIN)/convrepro benchmark-operators $(foreach only,$(ONLY),--only $(only)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(THREADS),--threads $(THREADS)) $(if $(OUTPUT),--output '$(OUTPUT)')

test: $(INSTALLED)  ## run the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

test-faults: $(INSTALLED)  ## the scenarios of tests/faults at their large figures, an hour or more: N= for another figure
	@OMP_NUM_THREADS=1 CONVREPRO_FAULTS=$(or $(N),large) $(BIN)/python -m pytest tests/faults

check: $(INSTALLED)  ## lint, format, types, who may import whom, and nothing that runs what it reads
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tests/forbidden_calls.py src scripts

coverage: $(INSTALLED)  ## run the tests and show what they do not reach
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --cov --cov-report=term-missing:skip-covered

clean:  ## remove .venv and caches; results stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
