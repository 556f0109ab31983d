# ctiforge's driver: `make help` lists what there is. One virtual environment, made on first use.
#
#   make train-extract                                        the demo, on embedded defaults
#   make train-extract DATABASE_URL=… MODEL=… STORE=s3://…    a team's own articles, model and store

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

# Settings given on the command line reach ctiforge through the environment; secrets never become arguments.
ifdef STORE
export CTIFORGE_STORE := $(STORE)
endif
ifdef MODEL
export CTIFORGE_MODEL := $(MODEL)
endif
ifdef TEST_SET
export CTIFORGE_TEST_SET := $(TEST_SET)
endif
ifdef DATABASE_URL
export DATABASE_URL
endif

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Virtual environment with everything, at the pinned versions

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

train-extract: install ## The Extract Agent, end to end: harvest, format, train, eval, compare
	$(BIN)/ctiforge run extract $(ARGS)

harvest: install ## One step by hand: articles and results into records (ARGS="--output … --from-database")
	$(BIN)/python jobs/harvest_extract.py $(ARGS)

format: install ## One step by hand: records into examples (ARGS="--input … --output …")
	$(BIN)/python jobs/format_extract.py $(ARGS)

train: install ## One step by hand: examples into a model (ARGS="--data … --model … --output …")
	$(BIN)/python jobs/train_extract.py $(ARGS)

eval: install ## One step by hand: a model's figures on a test set (ARGS="--model … --test-data …")
	$(BIN)/python jobs/eval_extract.py $(ARGS)

compare: install ## Evaluations side by side (ARGS="A.json B.json …")
	$(BIN)/ctiforge compare $(ARGS)

testset: install ## Test sets: create, import, list (ARGS="create …")
	$(BIN)/ctiforge testset $(ARGS)

extract: install ## Observables of one text as JSON (ARGS="FILE --model …")
	$(BIN)/ctiforge extract $(ARGS)

config: install ## Every setting and where it came from
	$(BIN)/ctiforge config

doctor: install ## Check the store before a run
	$(BIN)/ctiforge doctor

test: install ## Style, types, import rules and all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pip check
	$(BIN)/pytest $(ARGS)

format-code: install ## Let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

stages-lock: install ## Accept changed stage sources after deciding whether their versions rise
	$(BIN)/python -m ctiforge.store.lock

eval-real: install ## Regex floor and a model on the 30 real articles of ../shared/data
	$(BIN)/python benchmarks/eval_real.py $(ARGS)

bench-harvest: install ## Rows per second and memory against a SQLAlchemy harvest
	$(BIN)/python benchmarks/bench_harvest.py $(ARGS)

bench-train: install ## CPU-seconds to the same held-out loss against two other recipes
	$(BIN)/python benchmarks/bench_train.py $(ARGS)

bench-help: install ## How long every --help takes
	$(BIN)/python benchmarks/bench_help.py $(ARGS)

demo-base: install ## Make the demo's base model anew (hours; it is shipped ready)
	$(BIN)/python -m ctiforge.demo.making.pretrain $(ARGS)

clean: ## Remove the environment, the embedded database and the embedded store
	-$(BIN)/python jobs/demo_database.py down
	rm -rf $(VENV) .ctiforge outputs

.PHONY: help install train-extract harvest format train eval compare testset extract config doctor test format-code \
	stages-lock eval-real bench-harvest bench-train bench-help demo-base clean
